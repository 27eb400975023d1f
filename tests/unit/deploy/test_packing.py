"""Pods on nodes: nothing is lost, no node holds more than it has, and what fits nowhere is named."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path

import moto
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasurface.deploy.instances import INSTANCES, instance_of, node_shape
from datasurface.deploy.packing import NodeShape, PodNeed, best_shape, pack
from datasurface.errors import ConfigurationError

NODE = NodeShape(name="n", cpu=2000, memory=4000, pods=10)


def test_the_largest_goes_first_and_small_ones_fill_the_gaps():
    needs = [
        PodNeed(name="small", cpu=500, memory=1000, count=4),
        PodNeed(name="large", cpu=1500, memory=3000, count=2),
    ]
    packing = pack(needs, NODE)
    assert [node.pods for node in packing.nodes] == [{"large": 1, "small": 1}, {"large": 1, "small": 1}, {"small": 2}]
    assert packing.impossible == ()


def test_what_no_node_holds_is_named_and_the_others_are_placed():
    packing = pack([PodNeed(name="b", cpu=1, memory=4001), PodNeed(name="a", cpu=2001, memory=1), NEED], NODE)
    assert [need.name for need in packing.impossible] == ["a", "b"]
    assert [node.pods for node in packing.nodes] == [{"usual": 1}]


NEED = PodNeed(name="usual", cpu=250, memory=512)


def test_addresses_are_a_limit_too():
    assert len(pack([PodNeed(name="tiny", cpu=0, memory=0, count=25)], NODE).nodes) == 3


needs_strategy = st.lists(
    st.builds(
        lambda number, cpu, memory, count: (number, cpu, memory, count),
        st.integers(0, 5),
        st.integers(0, 2500),
        st.integers(0, 5000),
        st.integers(1, 9),
    ),
    max_size=12,
)


@given(needs_strategy)
def test_every_pod_is_placed_once_and_no_node_is_too_full(raw: list[tuple[int, int, int, int]]):
    needs = [
        PodNeed(name=f"{index}", cpu=cpu, memory=memory, count=count)
        for index, (_number, cpu, memory, count) in enumerate(raw)
    ]
    packing = pack(needs, NODE)
    placed: Counter[str] = Counter()
    by_name = {need.name: need for need in needs}
    for node in packing.nodes:
        placed.update(node.pods)
        assert sum(by_name[name].cpu * count for name, count in node.pods.items()) <= NODE.cpu
        assert sum(by_name[name].memory * count for name, count in node.pods.items()) <= NODE.memory
        assert 0 < sum(node.pods.values()) <= NODE.pods
    impossible = {need.name for need in packing.impossible}
    assert placed == Counter({need.name: need.count for need in needs if need.name not in impossible})
    assert impossible == {need.name for need in needs if need.cpu > NODE.cpu or need.memory > NODE.memory}
    # First-fit decreasing leaves at most one node less than half full by every measure.
    halves = [n for n in packing.nodes if n.cpu * 2 < NODE.cpu and n.memory * 2 < NODE.memory and n.number * 2 < 10]
    assert len(halves) <= 1


def test_the_smallest_shape_that_holds_every_pod_is_chosen():
    shapes = [node_shape(name) for name in ("m7i.large", "m7i.xlarge", "m7i.2xlarge")]
    assert best_shape([NEED], shapes).name == "m7i.large"
    assert best_shape([NEED, PodNeed(name="x", cpu=3000, memory=1)], shapes).name == "m7i.xlarge"
    assert best_shape([PodNeed(name="x", cpu=1, memory=1_000_000)], shapes).name == "m7i.2xlarge"


def test_instance_types_are_those_of_ec2():
    source = Path(moto.__file__).parent / "ec2" / "resources" / "instance_types.json.gz"
    described = json.loads(gzip.decompress(source.read_bytes()))
    architectures = {"x86_64": "amd64", "arm64": "arm64"}
    for name, instance in INSTANCES.items():
        found = described[name]
        assert (instance.cpus, instance.memory, instance.interfaces, instance.addresses, instance.architecture) == (
            found["VCpuInfo"]["DefaultVCpus"],
            found["MemoryInfo"]["SizeInMiB"],
            found["NetworkInfo"]["MaximumNetworkInterfaces"],
            found["NetworkInfo"]["Ipv4AddressesPerInterface"],
            architectures[found["ProcessorInfo"]["SupportedArchitectures"][0]],
        ), name
    assert len(INSTANCES) > 80


def test_what_pods_can_have_of_a_node():
    """Amazon's own numbers: m5.large takes 29 pods and reserves 70 m and 574 MiB; m5.4xlarge 234, capped to 110."""
    large = node_shape("m5.large")
    assert large.cpu == 2000 - 70 - 205
    assert large.pods == 29 - 4
    assert large.memory == int(8192 * 0.925 - (255 + 11 * 29) - 100) - 200
    assert node_shape("m5.4xlarge").pods == 110 - 4
    assert node_shape("m5.8xlarge").pods == 234 - 4


def test_an_unknown_instance_type_is_refused_with_its_relatives():
    with pytest.raises(ConfigurationError, match=r"'m5.huge' is not known.*m5.large"):
        instance_of("m5.huge")
