"""Sentences as weighted sums of their words' embeddings."""

from __future__ import annotations

import math
from typing import Any

import torch
from gymnasium import spaces
from torch import Tensor, nn

from memory_envs.arguments import check_choice, check_flag, check_integer, check_number, shown

POSITIONS = ("fixed", "waves", "learned", "none")


class SentenceEncoder(nn.Module):
    """Embeds the words of a sentence, and adds them up, each weighted by its position.

    It is for observations that are the numbers of a sentence's words, filled up with zeros, such
    as bAbI's at the level of sentences, and is chosen by name where settings are text:
    ``--set policy.encoder=SentenceEncoder policy.encoder_kwargs.size=256``. A single word, as at
    the level of words, is a sentence without positions.

    Args:
        space: A `MultiDiscrete` of one number of words at every position, or a `Discrete` of words;
            word 0 is none.
        size: Numbers in an embedding, and in what comes out.
        positions: ``"fixed"`` weighs number k of d in the embedding of word j of J by
            ``(1 - j / J) - (k / d) (1 - 2 j / J)`` (position encoding, Sukhbaatar et al. 2015,
            section 4.1), ``"waves"`` by ``cos(pi j f)``, where f is 0 for the first half of the
            numbers and rises from 0 to 1 over the second, ``"learned"`` by a number of its own that
            starts at 1 (Henaff et al. 2017), ``"none"`` by 1. With ``"fixed"`` the weights of
            neighbours are much alike: what is told apart by the order of two words alone, as the
            ways to and fro between two rooms, is nearly the same vector. With ``"waves"`` half of
            the vector says which words there are, and half, in what order.
        word_dropout: Share of words that are left out in training; the others weigh more, so that
            the expected sum stays as it is.
        sentence_dropout: Share of sentences that are left out in training, all their words.
        layer_norm: Whether what comes out is normalised, to mean 0 and variance 1 but for a learnt
            scale and shift.

    Raises:
        TypeError, ValueError: If an argument is not valid.
    """

    table: Tensor

    def __init__(
        self,
        space: spaces.Space[Any],
        size: int = 128,
        positions: str = "fixed",
        word_dropout: float = 0.0,
        sentence_dropout: float = 0.0,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        width, words = _shape_of(space)
        self.output_size = check_integer("size", size, 1)
        check_choice("positions", positions, POSITIONS)
        self.positions = "none" if isinstance(space, spaces.Discrete) else positions
        self.word_dropout = _check_share("word_dropout", word_dropout)
        self.sentence_dropout = _check_share("sentence_dropout", sentence_dropout)
        self.embedding = nn.Embedding(words, size, padding_idx=0)
        nn.init.normal_(self.embedding.weight, std=1.0 / math.sqrt(width))
        with torch.no_grad():
            self.embedding.weight[0] = 0.0
        self.weights = (
            nn.Parameter(torch.ones(width, size)) if self.positions == "learned" else None
        )
        table = _waves(width, size) if self.positions == "waves" else _fixed(width, size)
        self.register_buffer("table", table, persistent=False)
        self.norm = nn.LayerNorm(size) if check_flag("layer_norm", layer_norm) else nn.Identity()

    def forward(self, obs: Tensor) -> Tensor:
        """Maps sentences ``(N, width)``, or words ``(N,)``, to ``(N, size)``."""
        words = obs.long().reshape(obs.shape[0], -1)
        embedded = self.embedding(words)
        if self.positions == "fixed":
            embedded = embedded * self.table[(words != 0).sum(dim=1)]
        elif self.positions == "waves":
            embedded = embedded * self.table
        elif self.weights is not None:
            embedded = embedded * self.weights
        if self.training and self.word_dropout:
            embedded = embedded * _kept(words, self.word_dropout)[..., None]
        summed = embedded.sum(dim=1)
        if self.training and self.sentence_dropout:
            summed = summed * _kept(words[:, 0], self.sentence_dropout)[:, None]
        encoded: Tensor = self.norm(summed)
        return encoded


def _shape_of(space: spaces.Space[Any]) -> tuple[int, int]:
    """Returns the number of positions, and that of words at each."""
    if isinstance(space, spaces.Discrete) and space.start == 0:
        return 1, int(space.n)
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1 and not space.start.any():
        numbers = set(space.nvec.tolist())
        if len(numbers) == 1:
            return len(space.nvec), numbers.pop()
    raise ValueError(
        f"observation space is {shown(space)}; allowed with SentenceEncoder: a Discrete of words, "
        "or a MultiDiscrete of as many at every position, from 0 on"
    )


def _check_share(name: str, value: float) -> float:
    share = check_number(name, value, 0.0, 1.0)
    if share == 1.0:
        raise ValueError(f"{name} is {shown(value)}; allowed: numbers from 0 to below 1")
    return share


def _kept(like: Tensor, dropout: float) -> Tensor:
    """Returns 0 where something is left out and 1 / (1 - dropout) elsewhere, as `nn.Dropout`."""
    return nn.functional.dropout(torch.ones(like.shape, device=like.device), dropout)


def _fixed(width: int, size: int) -> Tensor:
    """Returns the weights ``(width + 1, width, size)`` of the words of sentences of J words."""
    lengths = torch.arange(width + 1).clamp(min=1)[:, None, None]
    share = torch.arange(1, width + 1)[None, :, None] / lengths
    depth = torch.arange(1, size + 1)[None, None, :] / size
    return (1 - share) - depth * (1 - 2 * share)


def _waves(width: int, size: int) -> Tensor:
    """Returns the weights ``(width, size)`` of the words at each position."""
    positions = torch.arange(1, width + 1)[:, None]
    frequencies = (2 * torch.arange(1, size + 1) / size - 1).clamp(min=0)
    return torch.cos(math.pi * positions * frequencies)
