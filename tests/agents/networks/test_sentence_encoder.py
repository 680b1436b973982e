"""Sentences as sums of words: the formula by hand, what is left out, and what is refused."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

from agents import SentenceEncoder
from agents.networks.memory_network import MemoryNetwork

SPACE = spaces.MultiDiscrete([7] * 5)
SENTENCES = torch.tensor([[3, 1, 6, 0, 0], [2, 0, 0, 0, 0], [4, 4, 5, 1, 2], [0, 0, 0, 0, 0]])


def _embedded(encoder: SentenceEncoder, number: int) -> Any:
    return encoder.embedding.weight[number].detach().numpy()


def test_positions_weigh_as_in_the_paper() -> None:
    size = 6
    encoder = SentenceEncoder(SPACE, size)
    found = encoder(SENTENCES).detach().numpy()
    for sentence, vector in zip(SENTENCES.tolist(), found, strict=True):
        words = [word for word in sentence if word]
        wanted = np.zeros(size)
        for j, word in enumerate(words, start=1):
            for k in range(1, size + 1):
                weight = (1 - j / len(words)) - (k / size) * (1 - 2 * j / len(words))
                wanted[k - 1] += weight * _embedded(encoder, word)[k - 1]
        np.testing.assert_allclose(vector, wanted, rtol=1e-5, atol=1e-6)


def test_half_of_the_numbers_say_which_words_there_are_half_in_what_order() -> None:
    size = 6
    encoder = SentenceEncoder(SPACE, size, positions="waves")
    found = encoder(SENTENCES).detach().numpy()
    for sentence, vector in zip(SENTENCES.tolist(), found, strict=True):
        wanted = np.zeros(size)
        for j, word in enumerate((word for word in sentence if word), start=1):
            weights = np.array([1, 1, 1, *np.cos(np.pi * j * np.array([1 / 3, 2 / 3, 1]))])
            wanted += weights * _embedded(encoder, word)
        np.testing.assert_allclose(vector, wanted, rtol=1e-5, atol=1e-6)


def test_waves_tell_the_way_to_from_the_way_fro() -> None:
    ways = torch.tensor([[1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 6, 5, 4, 7]])
    turned = {}
    for positions in ("fixed", "waves"):
        torch.manual_seed(0)
        encoder = SentenceEncoder(spaces.MultiDiscrete([8] * 7), 256, positions, layer_norm=True)
        to, fro = encoder(ways).detach()
        turned[positions] = float((to - fro).norm() / to.norm())
    assert turned["waves"] > 2 * turned["fixed"]


@pytest.mark.parametrize("positions", ["learned", "none"])
def test_other_weights_begin_as_a_plain_sum(positions: str) -> None:
    encoder = SentenceEncoder(SPACE, 4, positions=positions)
    for sentence, vector in zip(SENTENCES.tolist(), encoder(SENTENCES), strict=True):
        wanted = sum((_embedded(encoder, word) for word in sentence if word), np.zeros(4))
        np.testing.assert_allclose(vector.detach().numpy(), wanted, rtol=1e-5, atol=1e-6)
    names = {name for name, _ in encoder.named_parameters()}
    assert names == {"embedding.weight", *(["weights"] if positions == "learned" else [])}


def test_a_word_is_a_sentence_without_positions() -> None:
    encoder = SentenceEncoder(spaces.Discrete(7), 4, word_dropout=0.5)
    encoder.eval()
    found = encoder(torch.tensor([3, 0, 6]))
    torch.testing.assert_close(found, encoder.embedding.weight[[3, 0, 6]])
    encoder.train()
    left_out = (encoder(torch.full((20_000,), 3)) == 0).all(dim=1)
    assert left_out.float().mean() == pytest.approx(0.5, abs=0.03)


def test_no_word_has_no_vector_and_never_gets_one() -> None:
    encoder = SentenceEncoder(SPACE, 4)
    encoder(SENTENCES).sum().backward()
    grad = encoder.embedding.weight.grad
    assert grad is not None
    assert not grad[0].any()
    assert not _embedded(encoder, 0).any()


def test_words_are_left_out_in_training_only() -> None:
    encoder = SentenceEncoder(SPACE, 4, positions="none", word_dropout=0.25)
    many = torch.tensor([[3, 0, 0, 0, 0]]).expand(20_000, 5)
    vectors = encoder(many)
    left_out = (vectors == 0).all(dim=1)
    assert left_out.float().mean() == pytest.approx(0.25, abs=0.02)
    torch.testing.assert_close(vectors[~left_out][0], encoder.embedding.weight[3] / 0.75)
    encoder.eval()
    assert not (encoder(many) == 0).all(dim=1).any()


def test_sentences_are_left_out_whole() -> None:
    encoder = SentenceEncoder(SPACE, 4, sentence_dropout=0.5)
    vectors = encoder(SENTENCES[2:3].expand(20_000, 5))
    left_out = (vectors == 0).all(dim=1)
    assert left_out.float().mean() == pytest.approx(0.5, abs=0.03)
    assert len(vectors[~left_out].unique(dim=0)) == 1


def test_what_comes_out_can_be_normalised() -> None:
    found = SentenceEncoder(SPACE, 64, layer_norm=True)(SENTENCES[:3])
    torch.testing.assert_close(found.mean(dim=1), torch.zeros(3), atol=1e-5, rtol=0.0)


def test_it_is_found_by_its_name_in_settings() -> None:
    from agents.algorithms.torch_classes import with_torch_classes

    assert with_torch_classes({"encoder": "SentenceEncoder"}) == {"encoder": SentenceEncoder}
    with pytest.raises(ValueError, match="'Nobody' is not registered"):
        with_torch_classes({"encoder": "Nobody"})


@pytest.mark.parametrize(
    "space",
    [
        spaces.Discrete(4, start=1),
        spaces.MultiDiscrete([3, 4]),
        spaces.MultiDiscrete(np.full((2, 2), 3)),
        spaces.MultiDiscrete([3, 3], start=[1, 1]),
    ],
)
def test_what_are_no_sentences_is_refused(space: spaces.Space[Any]) -> None:
    with pytest.raises(ValueError, match="allowed with SentenceEncoder: a Discrete of words"):
        MemoryNetwork(space, encoder=SentenceEncoder)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"size": 0}, "size is 0; allowed: integers from 1 on"),
        ({"positions": "sine"}, "positions is 'sine'; allowed: fixed, waves, learned, none"),
        ({"word_dropout": 1.0}, "word_dropout is 1.0; allowed: numbers from 0 to below 1"),
        ({"sentence_dropout": -1}, "sentence_dropout is -1; allowed: numbers from 0 to 1"),
        ({"layer_norm": 1}, "layer_norm is 1; allowed: False, True"),
    ],
)
def test_bad_arguments_are_named(kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        SentenceEncoder(SPACE, **kwargs)
