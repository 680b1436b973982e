from __future__ import annotations

import inspect
import re
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from sb3_contrib.common.recurrent.policies import RecurrentActorCriticPolicy
from stable_baselines3.common.torch_layers import CombinedExtractor, FlattenExtractor
from torch import Tensor, nn

from agents.cells import CELLS
from agents.cells.state import state_tensors
from agents.networks.distributions import BoxHead
from agents.networks.encoder import ImageEncoder, SymbolEncoder, VectorEncoder, make_encoder
from agents.networks.policy import CRITIC_MEMORIES, MemoryPolicy
from agents.networks.sb3_encoder import FeaturesExtractorEncoder

BOX = spaces.Box(-1.0, 1.0, (3,), np.float32)
SPACES: dict[str, spaces.Space[Any]] = {
    "number": spaces.Box(-1.0, 1.0, (), np.float32),
    "unsigned": spaces.MultiDiscrete([3, 4], dtype=np.uint16),
    "discrete": spaces.Discrete(5, start=2),
    "multi_discrete": spaces.MultiDiscrete([3, 4], start=[0, -1]),
    "multi_binary": spaces.MultiBinary((2, 2)),
    "box": BOX,
    "double": spaces.Box(-1.0, 1.0, (2, 2), np.float64),
    "grid": spaces.Box(0, 255, (3, 7, 7), np.uint8),
    "image": spaces.Box(0, 255, (3, 36, 36), np.uint8),
    "dict": spaces.Dict({"a.b": spaces.Discrete(3), "z": BOX, "c": spaces.MultiDiscrete([2, 2])}),
}


def _policy(
    observation_space: spaces.Space[Any] = BOX,
    action_space: spaces.Space[Any] | None = None,
    memory: str = "lstm",
    **kwargs: Any,
) -> MemoryPolicy:
    torch.manual_seed(0)
    sizes = {} if memory in ("none", "framestack", "memory-net") else {"hidden_size": 8}
    action_space = action_space or spaces.MultiDiscrete([3, 2])
    return MemoryPolicy(
        observation_space,
        action_space,
        memory=memory,
        memory_kwargs=sizes,
        encoder_size=16,
        **kwargs,
    )


def _sample(space: spaces.Space[Any], *lead: int) -> Any:
    space.seed(0)
    if isinstance(space, spaces.Dict):
        return {key: _sample(value, *lead) for key, value in space.items()}
    samples = np.stack([space.sample() for _ in range(int(np.prod(lead)))])
    return torch.as_tensor(samples.reshape(*lead, *(space.shape or ())))


# Encoders


@pytest.mark.parametrize("name", ["discrete", "multi_discrete"])
def test_symbols_are_a_linear_layer_on_one_hots(name: str) -> None:
    space: Any = SPACES[name]
    encoder = make_encoder(space, 6, nn.Identity())
    assert isinstance(encoder, SymbolEncoder)
    nn.init.normal_(encoder.bias)
    obs = _sample(space, 20)
    sizes = np.ravel(space.n if isinstance(space, spaces.Discrete) else space.nvec)
    columns = (obs.reshape(20, -1) - torch.as_tensor(np.ravel(space.start))).unbind(1)
    one_hots = [nn.functional.one_hot(c, int(n)) for c, n in zip(columns, sizes, strict=True)]
    expected = torch.cat(one_hots, 1).float() @ encoder.embedding.weight + encoder.bias
    torch.testing.assert_close(encoder(obs), expected)


@pytest.mark.parametrize("size", [4, None])
def test_a_symbol_out_of_range_is_an_error(size: int | None) -> None:
    encoder = make_encoder(spaces.Discrete(3), size, nn.Identity())
    with pytest.raises(RuntimeError, match=r"valid range|out of bounds"):
        encoder(torch.tensor([3]))


@pytest.mark.parametrize("name", ["discrete", "multi_discrete", "box", "grid"])
def test_without_a_size_a_memory_sees_what_gymnasium_s_flattening_gives(name: str) -> None:
    space = SPACES[name]
    encoder = make_encoder(space, None, nn.Tanh())
    assert not list(encoder.parameters())
    space.seed(0)
    samples = [space.sample() for _ in range(5)]
    flat = [np.asarray(spaces.flatten(space, sample)) for sample in samples]
    expected = torch.as_tensor(np.stack(flat)).float()
    obs = torch.as_tensor(np.stack(samples))
    torch.testing.assert_close(encoder(obs), expected)
    torch.testing.assert_close(encoder.double()(obs), expected.double())


@pytest.mark.parametrize(
    ("name", "kind"),
    [("box", VectorEncoder), ("grid", VectorEncoder), ("image", ImageEncoder)],
)
def test_which_encoder_reads_a_box(name: str, kind: type[nn.Module]) -> None:
    assert isinstance(make_encoder(SPACES[name], 8, nn.Tanh()), kind)


@pytest.mark.parametrize("name", SPACES)
def test_every_space_is_encoded_row_by_row(name: str) -> None:
    encoder = make_encoder(SPACES[name], 8, nn.Tanh())
    obs = _sample(SPACES[name], 4)
    encoded = encoder(obs)
    assert encoded.shape == (4, encoder.output_size)
    assert encoder.output_size == (24 if name == "dict" else 8)
    assert encoded.std() > 0
    last = {k: v[3:] for k, v in obs.items()} if isinstance(obs, dict) else obs[3:]
    torch.testing.assert_close(encoder(last), encoded[3:])


def test_a_features_extractor_sees_what_sb3_s_policies_give_it() -> None:
    image, symbol = _sample(SPACES["image"], 3), _sample(spaces.Discrete(5), 3)
    flat = FeaturesExtractorEncoder(SPACES["image"], FlattenExtractor, {})
    torch.testing.assert_close(flat(image), image.flatten(1) / 255.0)
    one_hot = FeaturesExtractorEncoder(spaces.Discrete(5), FlattenExtractor, {})
    torch.testing.assert_close(one_hot(symbol), nn.functional.one_hot(symbol, 5).float())


@pytest.mark.parametrize(
    ("extractor", "space"),
    [
        (FlattenExtractor, SPACES["unsigned"]),
        (CombinedExtractor, spaces.Dict({"a": spaces.MultiDiscrete([2, 2]), "b": BOX})),
    ],
)
def test_a_policy_takes_sb3_s_extractors_of_symbols(
    extractor: Any, space: spaces.Space[Any]
) -> None:
    policy = _policy(space, features_extractor_class=extractor)
    assert policy.network.memory.input_size == 7
    starts = torch.ones(3, dtype=torch.bool)
    _, values, _, _ = policy(_sample(space, 3), policy.initial_state(3), starts)
    assert values.shape == (3,)


@pytest.mark.parametrize("name", ["discrete", "box"])
def test_by_default_a_policy_s_memory_sees_observations_as_they_are(name: str) -> None:
    policy = MemoryPolicy(SPACES[name], spaces.Discrete(2))
    assert not list(policy.network.encoder.parameters())
    assert policy.network.memory.input_size == spaces.flatdim(SPACES[name])


def test_unreadable_spaces_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Text.*allowed: Discrete, MultiDiscrete, Box"):
        make_encoder(spaces.Dict({"t": spaces.Text(3)}), 8, nn.Tanh())


# Stepping and unrolling


def _later_state(policy: MemoryPolicy, obs: Any, rows: int) -> Any:
    """A state from the middle of episodes, in which the same was seen a few times."""
    state = policy.initial_state(rows)
    with torch.no_grad():
        for _ in range(3):
            _, _, state = policy.features(obs, state, torch.zeros(rows, dtype=torch.bool))
    return state


@pytest.mark.parametrize("memory", CELLS)
@pytest.mark.parametrize("name", ["multi_discrete", "dict", "image"])
def test_unrolling_gives_what_stepping_gave(name: str, memory: str) -> None:
    policy = _policy(SPACES[name], memory=memory)
    steps, rows = 7, 4
    obs = _sample(SPACES[name], steps, rows)
    generator = torch.Generator().manual_seed(0)
    starts = torch.rand(steps, rows, generator=generator) < 0.3
    masks = torch.rand(steps, rows, 5, generator=generator) < 0.6
    masks[..., [0, 3]] = True
    state = _later_state(policy, _sample(SPACES[name], rows), rows)
    carried, outputs = state, []
    for t in range(steps):
        now = {k: v[t] for k, v in obs.items()} if isinstance(obs, dict) else obs[t]
        with torch.no_grad():
            actions, values, log_probs, carried = policy(
                now,
                carried,
                starts[t],
                masks=masks[t],
                sampler=lambda actions: actions.sample(generator),
            )
        outputs.append((actions, values, log_probs))
    actions, values, log_probs = (torch.stack(parts) for parts in zip(*outputs, strict=True))
    result = policy.evaluate_actions(obs, actions, state, starts, masks)
    torch.testing.assert_close(result.values, values, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(result.log_probs, log_probs, atol=1e-5, rtol=1e-5)
    assert result.entropy.shape == (steps, rows)
    assert result.log_probs.requires_grad
    assert not values.requires_grad


@pytest.mark.parametrize("memory", CELLS)
def test_a_start_resets_its_row_alone(memory: str) -> None:
    policy = _policy(memory=memory)
    obs = _sample(BOX, 3)
    # Not of what it sees now: attention to equal things gives the same, however many they are.
    state = _later_state(policy, obs.roll(1, 0), 3)
    carried, fresh = state, policy.initial_state(3)

    def values(state: Any, starts: list[bool]) -> Tensor:
        return policy.predict_values(obs, state, torch.tensor(starts))

    none, second = values(carried, [False] * 3), values(carried, [False, True, False])
    torch.testing.assert_close(second[[0, 2]], none[[0, 2]])
    torch.testing.assert_close(second[1], values(fresh, [False] * 3)[1])
    if memory != "none":
        assert (second[1] - none[1]).abs() > 1e-6


def test_the_heads_see_the_observation_beside_the_memory() -> None:
    policy = _policy(memory="lstm")
    with torch.no_grad():
        for parameter in policy.network.memory.parameters():
            parameter.zero_()  # a memory that tells nothing
    obs = _sample(BOX, 2)
    values = policy.predict_values(obs, policy.initial_state(2), torch.tensor([True, True]))
    assert (values[0] - values[1]).abs() > 1e-4


def test_a_new_policy_hardly_prefers_an_action() -> None:
    policy, rows = _policy(), 100
    obs, starts = _sample(BOX, 1, rows), torch.ones(1, rows, dtype=torch.bool)
    with torch.no_grad():
        log_probs = policy.evaluate_actions(
            obs, _sample(policy.action_space, 1, rows), policy.initial_state(rows), starts
        ).log_probs
    # Scores are 64 numbers from -1 to 1 times orthogonal rows of length 0.01, so that two scores
    # differ by at most 0.16; the action has two parts.
    assert ((log_probs + np.log(3 * 2)).abs() < 0.32).all()


# Predicting


def test_predict_carries_the_state_and_obeys_episode_starts() -> None:
    policy = _policy()
    obs = _sample(BOX, 5, 3).numpy()
    starts = np.array([[1, 1, 1], [0, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 0]], bool)
    state: Any = None
    chosen = []
    for t in range(5):
        actions, state = policy.predict(obs[t], state, starts[t], deterministic=True)
        chosen.append(actions)
    with torch.no_grad():
        xs = torch.as_tensor(obs)
        expected = policy.evaluate_actions(
            xs, torch.as_tensor(np.stack(chosen)), policy.initial_state(3), torch.as_tensor(starts)
        )
        for other in (1, 2):  # no other choice of the first sub-action is more probable
            others = torch.as_tensor(np.stack(chosen))
            others[..., 0] = (others[..., 0] + other) % 3
            worse = policy.evaluate_actions(
                xs, others, policy.initial_state(3), torch.as_tensor(starts)
            )
            assert (worse.log_probs <= expected.log_probs).all()
        before: Any = policy.initial_state(3)
        unrolled = policy.network.unroll(xs, before.actor, torch.as_tensor(starts))
    torch.testing.assert_close(state.actor, unrolled.state)


@pytest.mark.parametrize("critic_memory", CRITIC_MEMORIES)
def test_a_trace_shows_the_value_of_the_step(critic_memory: str) -> None:
    policy = _policy(critic_memory=critic_memory)
    obs = _sample(BOX, 2, 3)
    _, before = policy.predict(obs[0].numpy())
    _, after = policy.predict(obs[1].numpy(), before)
    seen = policy.trace(obs[1].numpy(), before, after)
    values = policy.predict_values(obs[1], before, torch.zeros(3, dtype=torch.bool))
    if critic_memory == "none":
        assert "value" not in seen
        assert not values.any()
    else:
        torch.testing.assert_close(seen["value"], values)


def test_one_observation_is_a_batch_of_one() -> None:
    policy = _policy()
    obs = _sample(BOX, 2).numpy()
    first, state = policy.predict(obs[0], deterministic=True)
    second, _ = policy.predict(obs[1], state, deterministic=True)
    assert first.shape == second.shape == (2,)
    batch, states = policy.predict(obs[:1], None, np.array([True]), deterministic=True)
    np.testing.assert_array_equal(batch[0], first)
    torch.testing.assert_close(tuple(states), tuple(state))


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(
    "action_space",
    [spaces.Discrete(3, start=1), spaces.MultiDiscrete([2, 3]), spaces.Box(-1, 1, (2,))],
    ids=["discrete", "multi_discrete", "box"],
)
def test_predicted_actions_belong_to_the_space(name: str, action_space: Any) -> None:
    policy = _policy(SPACES[name], action_space)
    obs = _sample(SPACES[name], 6)
    obs = {k: v.numpy() for k, v in obs.items()} if isinstance(obs, dict) else obs.numpy()
    for deterministic in (True, False):
        actions, _ = policy.predict(obs, deterministic=deterministic)
        assert len(actions) == 6
        assert all(action_space.contains(action) for action in actions)


def test_predict_ignores_keys_that_are_not_in_the_space() -> None:
    space = spaces.Dict({"a": BOX})
    obs = {"a": np.zeros(3, np.float32), "mission": "go"}
    action, _ = _policy(space).predict(obs, deterministic=True)  # type: ignore[arg-type]
    assert action.shape == (2,)


def test_predict_obeys_masks() -> None:
    policy = _policy()
    obs = _sample(BOX, 400).numpy()
    mask = np.array([False, True, True, False, True])
    for deterministic in (True, False):
        actions, _ = policy.predict(
            obs, deterministic=deterministic, action_masks=np.tile(mask, (400, 1))
        )
        assert set(actions[:, 0].tolist()) <= {1, 2}
        assert (actions[:, 1] == 1).all()
    single, _ = policy.predict(obs[0], action_masks=mask)
    assert single[1] == 1


def test_predict_samples_from_the_generator_it_is_given() -> None:
    policy = _policy()
    obs = _sample(BOX, 50).numpy()

    def draw(seed: int) -> Any:
        return policy.predict(obs, generator=torch.Generator().manual_seed(seed))[0].tolist()

    assert draw(0) == draw(0) != draw(1)


# Bad input


def test_bad_arguments_are_named() -> None:
    obs = np.zeros((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"episode_start has shape \(3,\); allowed: \(2,\)"):
        _policy().predict(obs, None, np.zeros(3, bool))
    with pytest.raises(ValueError, match="sub-action 0 in row 0"):
        _policy().predict(obs, action_masks=np.tile([False, False, False, True, True], (2, 1)))
    with pytest.raises(ValueError, match=r"memory is 'lsmt'.*lstm"):
        _policy(memory="lsmt")
    with pytest.raises(
        ValueError, match="critic_memory is 'no'; allowed: own, shared, detached, none"
    ):
        _policy(critic_memory="no")
    with pytest.raises(ValueError, match=r"Identity.*FlattenExtractor.*; allowed: one of the two"):
        _policy(encoder=nn.Identity, features_extractor_class=FlattenExtractor)
    with pytest.raises(TypeError, match=r"Identity.*; allowed: a subclass of .*FeaturesExtractor"):
        _policy(features_extractor_class=nn.Identity)
    with pytest.raises(TypeError, match=r"activation_fn is 'tanh'; allowed: .*torch\.nn\.ReLU"):
        _policy(activation_fn="tanh")
    with pytest.raises(TypeError, match=r"activation_fn is Linear; allowed: .*without arguments"):
        _policy(activation_fn=torch.nn.Linear)
    arches: tuple[Any, ...] = ([8, 0], [8, 1.5], [True], 64, {"pi": [8], "vg": [8]}, [{"pi": [8]}])
    for net_arch in arches:
        message = rf"net_arch is {re.escape(repr(net_arch))}; allowed: .*dict\(pi=\[\.\.\.\], vf="
        with pytest.raises(ValueError, match=message):
            _policy(net_arch=net_arch)
    with pytest.raises(ValueError, match="log_std_init is nan; allowed: numbers from -20 to 20"):
        _policy(log_std_init=float("nan"))
    with pytest.raises(TypeError, match="ortho_init is 0; allowed: False, True"):
        _policy(ortho_init=0)
    with pytest.raises(ValueError, match="allowed: nothing without features_extractor_class"):
        _policy(features_extractor_kwargs={"features_dim": 8})
    with pytest.raises(TypeError, match=r"is 'netarch'; allowed: .*did you mean 'net_arch'"):
        _policy(netarch=[8])


def test_symbols_that_are_not_in_the_space_are_named() -> None:
    def refused(space: spaces.Space[Any], observation: Any, message: str) -> None:
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            _policy(space).predict(observation)

    symbol, symbols = SPACES["discrete"], SPACES["multi_discrete"]
    refused(symbol, np.array(7), "observation is 7; allowed: integers from 2 to 6")
    refused(symbol, np.array([2, 1]), "observation[1] is 1; allowed: integers from 2 to 6")
    # A network would read it as a symbol of the other entry.
    refused(symbols, np.array([3, 0]), "observation[0] is 3; allowed: integers from 0 to 2")
    batch = np.array([[0, -1], [2, 2], [2, 3]])
    refused(symbols, batch, "observation[2, 1] is 3; allowed: integers from -1 to 2")
    found = {"a.b": np.array(0), "z": np.full(3, 9.0, np.float32), "c": np.array([0, 2])}
    refused(SPACES["dict"], found, "observation['c'][1] is 2; allowed: integers from 0 to 1")
    found["c"][1] = 1
    _policy(SPACES["dict"]).predict(found)


# What Stable-Baselines3's users expect


def test_actor_and_critic_can_have_heads_of_their_own() -> None:
    policy = _policy(net_arch={"pi": [5], "vf": [7, 6]}, activation_fn=torch.nn.ReLU)
    widths = [
        [layer.out_features for layer in head if isinstance(layer, torch.nn.Linear)]
        for head in (policy.actor, policy.critic.mlp)
    ]
    assert widths == [[5, 5], [7, 6, 1]]
    assert any(isinstance(layer, torch.nn.ReLU) for layer in policy.actor)
    assert not any(isinstance(layer, torch.nn.Tanh) for layer in policy.modules())
    alone = _policy(net_arch={"vf": [7]})  # as in SB3, the actor then has no hidden layer
    assert [type(layer) for layer in alone.actor] == [torch.nn.Linear]


def test_weights_start_orthogonal_if_they_shall() -> None:
    for ortho_init in (True, False):
        layer = _policy(net_arch=[4], ortho_init=ortho_init).actor[0]
        assert isinstance(layer, torch.nn.Linear)
        gram = layer.weight @ layer.weight.T
        # Orthogonal rows with a gain of sqrt(2), up to the rounding of sums of some 100 products.
        orthogonal = torch.allclose(gram, 2.0 * torch.eye(4), atol=1e-4)
        assert orthogonal is ortho_init


def test_the_first_standard_deviation_can_be_chosen() -> None:
    policy = MemoryPolicy(BOX, spaces.Box(-1, 1, (2,)), log_std_init=-1.5)
    assert isinstance(policy.action_head, BoxHead)
    assert policy.action_head.log_std.tolist() == [-1.5, -1.5]


@pytest.mark.parametrize("critic_memory", ["own", "shared"])
def test_forward_acts_values_and_carries_as_sb3s_does(critic_memory: str) -> None:
    policy = _policy(critic_memory=critic_memory)
    obs, state = _sample(BOX, 5), policy.initial_state(5)
    starts = torch.tensor([True, False, False, True, False])
    actions, values, log_probs, after = policy(obs, state, starts, deterministic=True)
    assert actions.shape == (5, 2)
    assert torch.equal(values, policy.predict_values(obs, state, starts))
    judged = policy.evaluate_actions(obs[None], actions[None], state, starts[None])
    # The unrolled memory adds in another order: some ten roundings of numbers of about 1.
    torch.testing.assert_close(judged.log_probs[0], log_probs, atol=1e-5, rtol=1e-5)
    predicted, carried = policy.predict(obs.numpy(), state, starts.numpy(), deterministic=True)
    np.testing.assert_array_equal(predicted, actions.numpy())
    for mine, theirs in zip(state_tensors(after), state_tensors(carried), strict=True):
        assert torch.equal(mine, theirs)
    drawn = {tuple(policy(obs, state, starts)[0].flatten().tolist()) for _ in range(20)}
    assert len(drawn) > 1


SB3_WORDS: dict[str, tuple[Any, str]] = {
    "lstm_hidden_size": (64, r"memory_kwargs=\{'hidden_size': 64\}"),
    "lstm_kwargs": ({"dropout": 0.1}, "memory_kwargs"),
    "n_lstm_layers": (2, "1, or as memory a cell of your own"),
    "shared_lstm": (True, "critic_memory.*'detached'"),
    "enable_critic_lstm": (True, "critic_memory.*'own'"),
    "share_features_extractor": (True, "critic_memory"),
    "use_sde": (True, "False"),
    "full_std": (False, "True"),
    "use_expln": (True, "False"),
    "squash_output": (True, "False"),
    "normalize_images": (False, r"True.*encoder="),
    "lr_schedule": (0.1, "learning_rate"),
}


def test_every_word_of_sb3s_recurrent_policy_works_or_is_translated() -> None:
    theirs = set(inspect.signature(RecurrentActorCriticPolicy).parameters)
    ours = set(inspect.signature(MemoryPolicy).parameters)
    of_algorithm = {"optimizer_class", "optimizer_kwargs"}
    assert theirs - ours - of_algorithm == set(SB3_WORDS)
    for name, (value, advice) in SB3_WORDS.items():
        given = re.escape(repr(value))
        with pytest.raises(TypeError, match=f"{name} is {given}; allowed: .*{advice}"):
            _policy(**{name: value})
    same: dict[str, Any] = {
        "use_sde": False,
        "n_lstm_layers": 1,
        "normalize_images": True,
        "lstm_kwargs": None,
    }
    assert _policy(**same).state_dict().keys() == _policy().state_dict().keys()


def test_pickling_of_policies_is_not_offered() -> None:
    with pytest.raises(NotImplementedError, match="with its algorithm"):
        _policy().save("policy.pth")
    with pytest.raises(NotImplementedError, match="with its algorithm"):
        MemoryPolicy.load("policy.pth")


@pytest.mark.parametrize(
    ("critic_memory", "trained"),
    [
        ("own", {"critic", "critic_network"}),
        ("shared", {"critic", "network"}),
        ("detached", {"critic"}),
    ],
)
def test_the_value_loss_trains_what_the_critic_may_train(
    critic_memory: str, trained: set[str]
) -> None:
    policy = _policy(critic_memory=critic_memory)
    obs, starts = torch.ones(3, 2, *BOX.shape), torch.zeros(3, 2, dtype=torch.bool)
    actions = torch.zeros(3, 2, 2, dtype=torch.int64)
    policy.evaluate_actions(obs, actions, policy.initial_state(2), starts).values.sum().backward()  # type: ignore[no-untyped-call]
    found = {
        name.split(".")[0]
        for name, parameter in policy.named_parameters()
        if parameter.grad is not None and parameter.grad.any()
    }
    assert found == trained
