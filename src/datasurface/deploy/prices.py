"""What AWS asks for what is deployed: a dated table, for estimates only. Reads nothing.

The amounts are AWS's public on-demand prices in US East (N. Virginia) in US dollars; other regions are these times a
factor, that of general purpose instances there. Discounts, taxes, and what depends on use are left out, unless said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

__all__ = [
    "AS_OF",
    "HOURS_A_MONTH",
    "REGION_FACTORS",
    "SOURCE",
    "Item",
    "database_month",
    "factor",
    "instance_month",
    "month",
]

AS_OF = "2025-06-01"
"""The day on which the prices held."""
SOURCE = "AWS's public on-demand prices"
HOURS_A_MONTH = 730


class Item(StrEnum):
    """Something that is paid for, and by what."""

    EKS = "EKS cluster"
    EKS_EXTENDED = "EKS cluster in extended support"
    NAT_GATEWAY = "NAT gateway"
    NAT_GATEWAY_GB = "GB through a NAT gateway"
    INTERFACE_ENDPOINT = "interface endpoint in one zone"
    PUBLIC_ADDRESS = "public IPv4 address"
    LOAD_BALANCER = "load balancer"
    AURORA_ACU = "Aurora capacity unit (serverless)"
    AURORA_STORAGE_GB = "GB of Aurora storage"
    AURORA_BACKUP_GB = "GB of Aurora backups"
    AURORA_MILLION_IO = "million Aurora I/O requests"
    KMS_KEY = "KMS key"
    SECRET = "secret"  # noqa: S105 - no secret
    S3_GB = "GB in S3"
    EBS_GB = "GB of a gp3 volume"
    EFS_GB = "GB in EFS"
    ECR_GB = "GB in ECR"
    ALARM = "alarm"
    LOG_GB = "GB of logs taken in"
    LOG_STORED_GB = "GB of logs kept"
    FARGATE_CPU = "vCPU on Fargate"
    FARGATE_GB = "GB of memory on Fargate"


@dataclass(frozen=True, slots=True)
class _Price:
    dollars: float
    by_hour: bool = False


_PRICES: Mapping[Item, _Price] = {
    Item.EKS: _Price(0.10, by_hour=True),
    Item.EKS_EXTENDED: _Price(0.60, by_hour=True),
    Item.NAT_GATEWAY: _Price(0.045, by_hour=True),
    Item.NAT_GATEWAY_GB: _Price(0.045),
    Item.INTERFACE_ENDPOINT: _Price(0.01, by_hour=True),
    Item.PUBLIC_ADDRESS: _Price(0.005, by_hour=True),
    Item.LOAD_BALANCER: _Price(0.0225, by_hour=True),
    Item.AURORA_ACU: _Price(0.12, by_hour=True),
    Item.AURORA_STORAGE_GB: _Price(0.10),
    Item.AURORA_BACKUP_GB: _Price(0.021),
    Item.AURORA_MILLION_IO: _Price(0.20),
    Item.KMS_KEY: _Price(1.0),
    Item.SECRET: _Price(0.40),
    Item.S3_GB: _Price(0.023),
    Item.EBS_GB: _Price(0.08),
    Item.EFS_GB: _Price(0.30),
    Item.ECR_GB: _Price(0.10),
    Item.ALARM: _Price(0.10),
    Item.LOG_GB: _Price(0.50),
    Item.LOG_STORED_GB: _Price(0.03),
    Item.FARGATE_CPU: _Price(0.04048, by_hour=True),
    Item.FARGATE_GB: _Price(0.004445, by_hour=True),
}
_SAME_EVERYWHERE = frozenset({Item.EKS, Item.EKS_EXTENDED, Item.KMS_KEY, Item.SECRET, Item.ALARM, Item.PUBLIC_ADDRESS})
REGION_FACTORS: Mapping[str, float] = {
    "us-east-1": 1.0,
    "us-east-2": 1.0,
    "us-west-2": 1.0,
    "us-west-1": 1.17,
    "ca-central-1": 1.12,
    "eu-west-1": 1.12,
    "eu-west-2": 1.16,
    "eu-west-3": 1.17,
    "eu-central-1": 1.20,
    "eu-north-1": 1.07,
    "eu-south-1": 1.17,
    "ap-south-1": 1.06,
    "ap-southeast-1": 1.25,
    "ap-southeast-2": 1.25,
    "ap-northeast-1": 1.30,
    "ap-northeast-2": 1.23,
    "sa-east-1": 1.60,
}
"""What prices in a region are, in those of us-east-1."""
_ELSEWHERE = 1.3
_LARGE: Mapping[str, float] = {
    "c5": 0.085,
    "c6a": 0.0765,
    "c6g": 0.068,
    "c6i": 0.085,
    "c7g": 0.0725,
    "c7i": 0.08925,
    "c8g": 0.07976,
    "m5": 0.096,
    "m6a": 0.0864,
    "m6g": 0.077,
    "m6i": 0.096,
    "m7a": 0.11592,
    "m7g": 0.0816,
    "m7i": 0.1008,
    "m8g": 0.08976,
    "r5": 0.126,
    "r6a": 0.1134,
    "r6g": 0.1008,
    "r6i": 0.126,
    "r7g": 0.1071,
    "r7i": 0.1323,
    "r8g": 0.11782,
    "t3": 0.0832,
    "t3a": 0.0752,
    "t4g": 0.0672,
}
"""The hour of a family's size `large`; other sizes are multiples."""
_DATABASE_LARGE: Mapping[str, float] = {
    "db.r5": 0.29,
    "db.r6g": 0.26,
    "db.r6i": 0.29,
    "db.r7g": 0.276,
    "db.r7i": 0.305,
    "db.r8g": 0.276,
    "db.t3": 0.164,
    "db.t4g": 0.146,
}
_SIZES = {"nano": 1 / 16, "micro": 1 / 8, "small": 1 / 4, "medium": 1 / 2, "large": 1.0, "xlarge": 2.0}


def factor(region: str) -> float:
    """Return by what the prices of us-east-1 are multiplied; for a region that is not in the table, by a high one."""
    return REGION_FACTORS.get(region, _ELSEWHERE)


def month(item: Item, region: str, count: float = 1) -> float:
    """Return what so many of something cost a month, in US dollars."""
    price = _PRICES[item]
    dollars = price.dollars * (HOURS_A_MONTH if price.by_hour else 1)
    return count * dollars * (1.0 if item in _SAME_EVERYWHERE else factor(region))


def instance_month(kind: str, region: str, count: float = 1) -> float | None:
    """Return what instances such as `m6i.xlarge` cost a month, in US dollars; None if the table has no such family."""
    return _sized(_LARGE, kind, region, count)


def database_month(kind: str, region: str, count: float = 1) -> float | None:
    """Return what Aurora's instances such as `db.r6g.large` cost a month; None if the table has no such family."""
    return _sized(_DATABASE_LARGE, kind, region, count)


def _sized(table: Mapping[str, float], kind: str, region: str, count: float) -> float | None:
    family, _, size = kind.rpartition(".")
    times = _SIZES.get(size)
    if times is None and size.removesuffix("xlarge").isdigit():
        times = 2.0 * int(size.removesuffix("xlarge"))
    hour = table.get(family)
    return None if hour is None or times is None else count * times * hour * HOURS_A_MONTH * factor(region)
