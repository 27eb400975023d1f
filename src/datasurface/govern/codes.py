"""Every code that `check` can report, with its severity and a title. Codes are stable and never reused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["CODES", "CodeInfo", "Severity"]


class Severity(StrEnum):
    """How bad a finding is: an ERROR stops a correct run, a WARNING may surprise, an INFO is good to know."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class CodeInfo:
    """What a code stands for.

    Attributes:
        severity: Of its findings, unless one of them says that nothing depends on it.
        title: In a few words, for tables.
    """

    severity: Severity
    title: str


_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO

_NAMES = {
    "DS-N001": CodeInfo(_E, "a name that is not an SQL identifier"),
    "DS-N002": CodeInfo(_E, "an empty name, or one with reserved characters"),
    "DS-N003": CodeInfo(_E, "a column named ds_…"),
    "DS-N004": CodeInfo(_E, "a group whose schema would be reserved"),
    "DS-N005": CodeInfo(_E, "a physical name that the source cannot have"),
    "DS-N006": CodeInfo(_E, "an embedded database with an unusable name"),
    "DS-N007": CodeInfo(_E, "a name that is DataSurface's own"),
    "DS-N008": CodeInfo(_E, "a cloud identity that cannot exist"),
    "DS-N009": CodeInfo(_E, "a setting that a secret store cannot have"),
    "DS-N010": CodeInfo(_E, "a setting that a deployment cannot have"),
}
_DUPLICATES = {
    "DS-D001": CodeInfo(_E, "a name used twice"),
    "DS-D002": CodeInfo(_E, "a dataset consumed twice by one group"),
    "DS-D003": CodeInfo(_E, "one container name with different settings"),
    "DS-D004": CodeInfo(_E, "two credentials that meet in one name of a secret store"),
    "DS-D005": CodeInfo(_E, "an environment deployed to one thing twice"),
}
_REFERENCES = {
    "DS-R001": CodeInfo(_E, "a sink that is not written store.dataset"),
    "DS-R002": CodeInfo(_E, "a sink of a dataset that does not exist"),
    "DS-R003": CodeInfo(_E, "a sink's columns that do not exist"),
    "DS-R004": CodeInfo(_E, "an unknown platform"),
    "DS-R005": CodeInfo(_E, "an assignment rule that names something unknown"),
    "DS-R006": CodeInfo(_E, "a primary ingestion of an unknown datastore"),
    "DS-R007": CodeInfo(_E, "an unknown location"),
    "DS-R008": CodeInfo(_E, "an approval that is not written workspace.group"),
    "DS-R009": CodeInfo(_W, "an approval for something that does not exist"),
    "DS-R010": CodeInfo(_E, "a replica for an unknown workspace"),
    "DS-R011": CodeInfo(_E, "a workspace on a container that is no replica"),
    "DS-R012": CodeInfo(_W, "a hint for an unknown stream or transformer"),
    "DS-R013": CodeInfo(_E, "an unknown environment"),
    "DS-R014": CodeInfo(_E, "an environment that replaces something unknown"),
    "DS-R015": CodeInfo(_E, "an unknown secret store"),
}
_ACCESS = {
    "DS-A001": CodeInfo(_E, "a sink without the producer's approval"),
    "DS-A002": CodeInfo(_E, "deprecated data consumed"),
    "DS-A003": CodeInfo(_W, "deprecated data consumed knowingly"),
    "DS-A004": CodeInfo(_W, "a production workspace on data that is not production"),
    "DS-A005": CodeInfo(_I, "a deprecated workspace that is still served"),
    "DS-A006": CodeInfo(_E, "a reader that cannot be granted"),
}
_KEYS = {
    "DS-K001": CodeInfo(_E, "a key column that may be NULL"),
    "DS-K002": CodeInfo(_E, "a dataset without columns"),
    "DS-K003": CodeInfo(_I, "a dataset without a key"),
    "DS-K004": CodeInfo(_E, "a key of a type that cannot be one"),
    "DS-K005": CodeInfo(_E, "changes of a dataset without a key"),
}
_TYPES = {
    "DS-T001": CodeInfo(_E, "a type with impossible parameters"),
    "DS-T002": CodeInfo(_E, "a type that the merge database cannot hold"),
}
_CAPTURE = {
    "DS-C001": CodeInfo(_E, "a text that is no duration"),
    "DS-C002": CodeInfo(_E, "a Cron expression that cannot be read"),
    "DS-C003": CodeInfo(_E, "an unknown time zone"),
    "DS-C004": CodeInfo(_E, "a capture that is not supported yet for its container"),
    "DS-C005": CodeInfo(_E, "a source database that is not supported yet"),
    "DS-C006": CodeInfo(_E, "a datastore that nothing fills"),
    "DS-C007": CodeInfo(_E, "a transformer's output with a capture"),
    "DS-C008": CodeInfo(_E, "a guard out of range"),
    "DS-C009": CodeInfo(_W, "a datastore without datasets"),
    "DS-C010": CodeInfo(_E, "a container setting out of range"),
}
_PLATFORMS = {
    "DS-P001": CodeInfo(_E, "a merge database that is not supported yet"),
    "DS-P002": CodeInfo(_E, "a history that the merge database cannot keep"),
    "DS-P003": CodeInfo(_E, "a group that no platform serves"),
    "DS-P004": CodeInfo(_E, "a platform that cannot do what a group asks"),
    "DS-P005": CodeInfo(_E, "assignment rules that tie"),
    "DS-P006": CodeInfo(_E, "consumed data that no real source feeds"),
    "DS-P007": CodeInfo(_E, "keep_batches below -1"),
    "DS-P008": CodeInfo(_W, "a model that deploys nothing"),
    "DS-P009": CodeInfo(_W, "a latency that cannot be met"),
    "DS-P010": CodeInfo(_E, "a retention that is no duration"),
    "DS-P011": CodeInfo(_W, "a group without sinks"),
}
_PHYSICAL = {
    "DS-V001": CodeInfo(_E, "two sinks that meet in one view"),
    "DS-V002": CodeInfo(_E, "two groups that meet in one schema"),
    "DS-V003": CodeInfo(_E, "a group's schema that is a source's"),
}
_TRANSFORMERS = {
    "DS-X001": CodeInfo(_E, "code whose function is not written module:function"),
    "DS-X002": CodeInfo(_E, "queries that are not those of the output"),
    "DS-X003": CodeInfo(_E, "resources that cannot be read"),
    "DS-X004": CodeInfo(_W, "a container image, which nothing runs yet"),
    "DS-X005": CodeInfo(_E, "a kind of code that nothing installed runs"),
    "DS-X006": CodeInfo(_E, "code from elsewhere that is not pinned"),
    "DS-X007": CodeInfo(_E, "a query that reads what is no input"),
    "DS-X008": CodeInfo(_I, "a query that cannot be read for its lineage"),
}
_DEIDENTIFICATION = {
    "DS-I001": CodeInfo(_E, "a key that would not be unique once it is de-identified"),
    "DS-I002": CodeInfo(_E, "a method of de-identification that does not fit its column"),
    "DS-I003": CodeInfo(_E, "tokens consumed without approval"),
    "DS-I004": CodeInfo(_E, "a de-identified copy that is not as it is made"),
}
_CHECKS = {
    "DS-Q001": CodeInfo(_E, "a check of a column that does not exist"),
    "DS-Q002": CodeInfo(_E, "a check of a type that it cannot judge"),
    "DS-Q003": CodeInfo(_E, "a check with values that cannot be"),
    "DS-Q004": CodeInfo(_E, "a check whose query is no SELECT on its dataset"),
    "DS-Q005": CodeInfo(_E, "two checks of one name"),
    "DS-Q006": CodeInfo(_E, "a check that nothing can run"),
}
_RELEASES = {
    "DS-E001": CodeInfo(_E, "an embedded database in an environment that is deployed"),
    "DS-E002": CodeInfo(_E, "a file of this machine in an environment that is deployed"),
    "DS-E003": CodeInfo(_W, "an embedded database in an environment that serves production"),
    "DS-E004": CodeInfo(_E, "two environments with one platform in one database"),
    "DS-E005": CodeInfo(_W, "no credential in an environment that is deployed"),
    "DS-L001": CodeInfo(_E, "a rule for releases that cannot be read"),
    "DS-L002": CodeInfo(_E, "a release store that cannot be"),
    "DS-L003": CodeInfo(_I, "releases that nothing follows"),
    "DS-L004": CodeInfo(_E, "a place that pods of a cluster could not reach"),
    "DS-L005": CodeInfo(_E, "a deployment to AWS that does not fit the model"),
}
_SUPPORT = {
    "DS-S002": CodeInfo(_E, "a consumer replica: not supported yet"),
    "DS-S003": CodeInfo(_E, "a primary ingestion: not supported yet"),
    "DS-S005": CodeInfo(_W, "a policy that is not enforced yet"),
    "DS-S009": CodeInfo(_W, "a hint that nothing follows"),
    "DS-S010": CodeInfo(_E, "a kind of credential that the database cannot use"),
    "DS-S011": CodeInfo(_W, "a cloud identity, which only deploy targets give"),
}

CODES: dict[str, CodeInfo] = {
    **_NAMES,
    **_DUPLICATES,
    **_REFERENCES,
    **_ACCESS,
    **_KEYS,
    **_TYPES,
    **_CAPTURE,
    **_PLATFORMS,
    **_PHYSICAL,
    **_TRANSFORMERS,
    **_DEIDENTIFICATION,
    **_CHECKS,
    **_RELEASES,
    **_SUPPORT,
}
"""Every code, in the order of the reference."""
