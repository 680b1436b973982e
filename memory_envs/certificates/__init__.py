"""How much memory a task needs: what can be had without, with a window, and with all of the past.

`certify` says of every environment of the package, and of a user's own tasks, between which bounds
the return of the best policy lies that sees the present observation alone, or the last few. To find
such a policy is NP-hard in general (Littman 1994), so each figure says what it is: exact, proven,
found, sampled with a confidence, or trivial. docs/certificates.md has the proofs.
"""

from memory_envs.certificates.certificate import Certificate, from_dict
from memory_envs.certificates.certify import LARGEST_WINDOW, WINDOWS, bits_to_carry, certify
from memory_envs.certificates.interval import KINDS, RISK, Interval
from memory_envs.certificates.packaged import read_certificates

__all__ = [
    "KINDS",
    "LARGEST_WINDOW",
    "RISK",
    "WINDOWS",
    "Certificate",
    "Interval",
    "bits_to_carry",
    "certify",
    "from_dict",
    "read_certificates",
]
