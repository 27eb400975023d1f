"""Buckets: for releases, for logs, and for the record of who read them. None is public, and none takes plain HTTP."""

from __future__ import annotations

from troposphere import GetAtt, Ref, s3

from datasurface.deploy.aws.keys import document, statement
from datasurface.deploy.aws.template import StackBuilder

__all__ = ["add_buckets"]

_OLD_VERSIONS = 90
_UPLOAD_DAYS = 7


def add_buckets(stack: StackBuilder) -> None:
    """Add the buckets; they outlive their stack, which cannot delete what is not empty."""
    keep = stack.ground.settings.keep_logs
    access = _bucket(stack, "access", expire=keep, encryption=s3.ServerSideEncryptionByDefault(SSEAlgorithm="AES256"))
    stack.except_from(access, {"CKV_AWS_18": "it is where the record of access to the other buckets goes"})
    for what, expire in (("logs", keep), ("releases", None)):
        encryption = s3.ServerSideEncryptionByDefault(SSEAlgorithm="aws:kms", KMSMasterKeyID=GetAtt("DataKey", "Arn"))
        bucket = _bucket(stack, what, expire=expire, encryption=encryption)
        bucket.LoggingConfiguration = s3.LoggingConfiguration(
            DestinationBucketName=Ref(access), LogFilePrefix=f"{what}/"
        )
        stack.tell(f"{what.capitalize()}Bucket", Ref(bucket), f"the bucket for {what}")


def _bucket(
    stack: StackBuilder, what: str, *, expire: int | None, encryption: s3.ServerSideEncryptionByDefault
) -> s3.Bucket:
    title = f"{what.capitalize()}Bucket"
    bucket: s3.Bucket = stack.add(
        s3.Bucket(
            title,
            DeletionPolicy="Retain",
            UpdateReplacePolicy="Retain",
            BucketName=stack.ground.names.bucket(what),
            BucketEncryption=s3.BucketEncryption(
                ServerSideEncryptionConfiguration=[
                    s3.ServerSideEncryptionRule(
                        BucketKeyEnabled=what != "access", ServerSideEncryptionByDefault=encryption
                    )
                ]
            ),
            VersioningConfiguration=s3.VersioningConfiguration(Status="Enabled"),
            OwnershipControls=s3.OwnershipControls(
                Rules=[s3.OwnershipControlsRule(ObjectOwnership="BucketOwnerEnforced")]
            ),
            PublicAccessBlockConfiguration=s3.PublicAccessBlockConfiguration(
                BlockPublicAcls=True, BlockPublicPolicy=True, IgnorePublicAcls=True, RestrictPublicBuckets=True
            ),
            LifecycleConfiguration=s3.LifecycleConfiguration(Rules=_lifecycle(expire)),
        )
    )
    stack.add(s3.BucketPolicy(f"{title}Policy", Bucket=Ref(bucket), PolicyDocument=_policy(stack, what)))
    return bucket


def _lifecycle(expire: int | None) -> list[s3.LifecycleRule]:
    """Return the rules: what was replaced or deleted goes after 90 days, and logs when nobody keeps them any longer."""
    old = s3.LifecycleRule(
        Id="old-versions",
        Status="Enabled",
        NoncurrentVersionExpiration=s3.NoncurrentVersionExpiration(NoncurrentDays=_OLD_VERSIONS),
        AbortIncompleteMultipartUpload=s3.AbortIncompleteMultipartUpload(DaysAfterInitiation=_UPLOAD_DAYS),
    )
    if expire is None:
        return [old]
    return [old, s3.LifecycleRule(Id="expire", Status="Enabled", ExpirationInDays=expire)]


def _policy(stack: StackBuilder, what: str) -> dict[str, object]:
    names = stack.ground.names
    arn = names.bucket_arn(what)
    insecure = {"Bool": {"aws:SecureTransport": "false"}}
    statements = [statement("TlsOnly", "s3:*", [arn, f"{arn}/*"], principal="*", condition=insecure, effect="Deny")]
    if what == "access":
        sources = [names.bucket_arn(other) for other in ("logs", "releases")]
        own = {"ArnLike": {"aws:SourceArn": sources}, "StringEquals": {"aws:SourceAccount": names.account}}
        service = {"Service": "logging.s3.amazonaws.com"}
        statements.append(statement("AccessRecords", "s3:PutObject", f"{arn}/*", principal=service, condition=own))
    return document(*statements)
