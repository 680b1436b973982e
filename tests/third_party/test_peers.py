"""Agents of libraries that are not installed with the tests: ``make peers`` runs these.

Each is untrained. Played in rows it does what it does in one environment, episode by episode, so
that what it remembers is its own row's; played again, it does the same again.
"""

from __future__ import annotations

import re
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from agents.evaluation.conformance import check_recurrent
from memory_envs import evaluate
from memory_envs.scoring.makers import from_jax, from_rllib, from_tianshou, from_torchrl
from memory_envs.scoring.play import turn_seeds
from memory_envs.scoring.policy import MadePolicy, Turn
from memory_envs.wrappers import FlatActions, OneHotObservations
from tests.third_party.recipes import ROOT

# What they import warns of what they will have to change.
pytestmark = pytest.mark.filterwarnings("ignore")

ENV = "Tape-Copy-Easy-v0"
SYMBOLS, ACTIONS = 5 + 2, 3 * 2 * 6


class Unmasked(gym.Wrapper[Any, Any, Any, Any]):
    """Hides the masks, which most networks do not read."""

    def has_wrapper_attr(self, name: str) -> bool:
        return name != "action_masks" and super().has_wrapper_attr(name)


def make(**kwargs: Any) -> gym.Env[Any, Any]:
    env = gym.make(ENV, on_error="continue", max_steps=9, **kwargs)
    return FlatActions(OneHotObservations(env))


def unmasked() -> gym.Env[Any, Any]:
    return Unmasked(make())


def check(policy: MadePolicy, env: Any = unmasked) -> None:
    found = evaluate(policy, env, episodes=20)
    assert found == evaluate(policy, env, episodes=20)
    assert found.score is not None
    if policy.deterministic:
        assert found == evaluate(policy, env(), episodes=20)


def check_memory(policy: MadePolicy) -> Any:
    """The same observation leads elsewhere once there was another; returns the memory."""
    rows = 200
    seen = np.eye(SYMBOLS, dtype=np.float32)[np.arange(rows) % SYMBOLS]
    starts = np.ones(rows, np.bool_)
    first, state = policy(Turn(seen, starts, None, turn_seeds(range(rows), 0)), None)
    for turn in range(1, 6):
        seeds = turn_seeds(range(rows), turn)
        last, state = policy(Turn(seen, np.zeros(rows, np.bool_), None, seeds), state)
    assert not np.array_equal(first, last)
    again, _ = policy(Turn(seen, starts, None, turn_seeds(range(rows), 0)), None)
    assert np.array_equal(first, again)
    return state


def check_starts(policy: MadePolicy, state: Any) -> None:
    """Rows that begin anew play as they did at first, the others go on."""
    rows = 200
    seen = np.eye(SYMBOLS, dtype=np.float32)[np.arange(rows) % SYMBOLS]
    seeds, nobody = turn_seeds(range(rows), 0), np.zeros(rows, np.bool_)
    starts = np.arange(rows) % 2 == 0
    new, _ = policy(Turn(seen, ~nobody, None, seeds), None)
    on, _ = policy(Turn(seen, nobody, None, seeds), state)
    mixed, _ = policy(Turn(seen, starts, None, seeds), state)
    assert np.array_equal(mixed, np.where(starts, new, on))


@pytest.mark.parametrize("deterministic", [True, False])
def test_torchrl(deterministic: bool) -> None:
    modules = pytest.importorskip("torchrl.modules")
    nn = pytest.importorskip("tensordict.nn")
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    lstm = modules.LSTMModule(SYMBOLS, 16, in_key="observation", out_key="embedding")
    for parameter in lstm.parameters():
        parameter.data.mul_(8.0)
    mlp = modules.MLP(in_features=16, out_features=ACTIONS, num_cells=[])
    head = nn.TensorDictModule(mlp, in_keys=["embedding"], out_keys=["logits"])

    def actor(distribution: Any) -> Any:
        body = nn.TensorDictSequential(lstm, head)
        return modules.ProbabilisticActor(
            body, in_keys=["logits"], distribution_class=distribution, out_keys=["action"]
        )

    policy = from_torchrl(actor(torch.distributions.Categorical), deterministic)
    check(policy)
    if deterministic:
        check_starts(policy, check_memory(policy))
    check(from_torchrl(actor(modules.OneHotCategorical), deterministic, one_hot=True))
    masked = modules.ProbabilisticActor(
        nn.TensorDictSequential(lstm, head),
        in_keys={"logits": "logits", "mask": "action_mask"},
        distribution_class=modules.MaskedCategorical,
        out_keys=["action"],
    )
    check(from_torchrl(masked, deterministic), lambda: make(forced_emission=True))
    assert lstm.training


@pytest.mark.parametrize("recurrent", [True, False])
@pytest.mark.parametrize("deterministic", [True, False])
def test_rllib(recurrent: bool, deterministic: bool) -> None:
    ppo = pytest.importorskip("ray.rllib.algorithms.ppo.torch.default_ppo_torch_rl_module")
    catalog = pytest.importorskip("ray.rllib.algorithms.ppo.ppo_catalog")
    spec = pytest.importorskip("ray.rllib.core.rl_module.rl_module")
    config = pytest.importorskip("ray.rllib.core.rl_module.default_model_config")
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    env = unmasked()
    module = spec.RLModuleSpec(
        module_class=ppo.DefaultPPOTorchRLModule,
        observation_space=env.observation_space,
        action_space=env.action_space,
        model_config=config.DefaultModelConfig(use_lstm=recurrent, lstm_cell_size=8),
        catalog_class=catalog.PPOCatalog,
    ).build()
    for parameter in module.parameters():
        parameter.data.mul_(4.0)
    policy = from_rllib(module, deterministic)
    check(policy)
    if deterministic and recurrent:
        check_starts(policy, check_memory(policy))


@pytest.mark.parametrize("shifted", [False, True])
def test_torchrl_conforms(shifted: bool) -> None:
    adapter = pytest.importorskip("benchmarks.conformance.torchrl_ppo")
    report = check_recurrent(adapter.TorchRLMaker(shifted))
    assert report.failed == (), "\n".join(report.lines())
    assert report.not_checked == ("masks", "learning")


def test_rllib_conforms() -> None:
    adapter = pytest.importorskip("benchmarks.conformance.rllib_ppo")
    report = check_recurrent(adapter.RLlibMaker())
    assert report.failed == (), "\n".join(report.lines())
    assert report.not_checked == ("changed environment", "masks", "learning")


def test_tianshou_recurrent_q_network() -> None:
    dqn = pytest.importorskip("tianshou.algorithm.modelfree.dqn")
    nets = pytest.importorskip("tianshou.utils.net.common")
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    env = unmasked()
    net = nets.Recurrent(
        layer_num=1, state_shape=(SYMBOLS,), action_shape=ACTIONS, hidden_layer_size=16
    )
    for parameter in net.parameters():
        parameter.data.mul_(8.0)
    q_policy = dqn.DiscreteQLearningPolicy(
        model=net, action_space=env.action_space, observation_space=env.observation_space
    )
    check(from_tianshou(q_policy))
    check_starts(from_tianshou(q_policy), check_memory(from_tianshou(q_policy)))


@pytest.mark.parametrize("deterministic", [True, False])
def test_tianshou_actor(deterministic: bool) -> None:
    reinforce = pytest.importorskip("tianshou.algorithm.modelfree.reinforce")
    nets = pytest.importorskip("tianshou.utils.net.common")
    discrete = pytest.importorskip("tianshou.utils.net.discrete")
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    body = nets.Net(state_shape=(SYMBOLS,), hidden_sizes=[16])
    actor = discrete.DiscreteActor(preprocess_net=body, action_shape=ACTIONS, softmax_output=False)
    policy = reinforce.ProbabilisticActorPolicy(
        actor=actor,
        dist_fn=lambda logits: torch.distributions.Categorical(logits=logits),
        action_scaling=False,
        action_space=unmasked().action_space,
    )
    check(from_tianshou(policy, deterministic))
    assert policy.training


def test_tianshou_masks() -> None:
    dqn = pytest.importorskip("tianshou.algorithm.modelfree.dqn")
    nets = pytest.importorskip("tianshou.utils.net.common")
    net = nets.Net(state_shape=(SYMBOLS,), action_shape=ACTIONS, hidden_sizes=[16])
    policy = from_tianshou(dqn.DiscreteQLearningPolicy(model=net, action_space=make().action_space))
    turn = masked_turn(allowed=5)
    assert policy(turn, None)[0].tolist() == [5] * len(turn.starts)


def masked_turn(allowed: int) -> Turn:
    masks = np.zeros((20, ACTIONS), np.bool_)
    masks[:, allowed] = True
    seen = np.eye(SYMBOLS, dtype=np.float32)[np.arange(20) % SYMBOLS]
    return Turn(seen, np.ones(20, np.bool_), masks, turn_seeds(range(20), 0))


def test_jax() -> None:
    jax = pytest.importorskip("jax")
    keys = jax.random.split(jax.random.key(0), 3)
    inner, outer, recurrent = (
        jax.random.normal(key, shape) * 3.0
        for key, shape in zip(keys, [(16, SYMBOLS), (ACTIONS, 16), (16, 16)], strict=True)
    )

    def remember(seen: Any, state: Any) -> Any:
        return jax.numpy.tanh(inner @ seen + recurrent @ state)

    def best(seen: Any, state: Any) -> Any:
        state = remember(seen, state)
        return jax.numpy.argmax(outer @ state), state

    def draw(seen: Any, state: Any, mask: Any, key: Any) -> Any:
        state = remember(seen, state)
        logits = jax.numpy.where(mask, outer @ state, -jax.numpy.inf)
        return jax.random.categorical(key, logits), state

    start = jax.numpy.zeros(16)
    check(from_jax(best, start, deterministic=True))
    check_starts(from_jax(best, start), check_memory(from_jax(best, start)))
    sampling = from_jax(draw, start, deterministic=False)
    found = evaluate(sampling, make, episodes=20)
    # Each row has a key of its own, so that even drawn actions do not depend on the other rows.
    assert found == evaluate(sampling, make(), episodes=20)
    assert set(np.asarray(sampling(masked_turn(allowed=5), None)[0]).tolist()) == {5}


BLOCKS = dict(
    re.findall(
        r"```python (\w+)\n(.*?)```",
        (ROOT / "docs" / "how-to" / "score-your-agent.md").read_text(encoding="utf-8"),
        re.DOTALL,
    )
)


@pytest.mark.parametrize("library", ["torchrl", "rllib", "tianshou", "jax"])
def test_a_block_of_the_page_runs_as_it_stands(library: str) -> None:
    pytest.importorskip("ray.rllib" if library == "rllib" else library)
    names: dict[str, Any] = {"__name__": "block"}
    exec(compile(BLOCKS[library], library, "exec"), names)
    assert names["result"].episodes == 100
    assert names["result"].score is not None


def test_every_block_of_the_page_is_run() -> None:
    assert BLOCKS.keys() == {"torchrl", "rllib", "tianshou", "jax"}
