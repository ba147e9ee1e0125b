"""Why a service of object storage refused a request, in sentences without its answer, which may hold credentials."""

from __future__ import annotations

import re

_REASONS = {
    "NoSuchBucket": "there is no such bucket",
    "ContainerNotFound": "there is no such container",
    "AccessDenied": "access is denied",
    "AuthorizationPermissionMismatch": "access is denied",
    "InvalidAccessKeyId": "the access key is unknown",
    "SignatureDoesNotMatch": "the secret key is wrong",
    "ExpiredToken": "the credentials have expired",
    "PermanentRedirect": "the bucket is in another region",
    "AuthorizationHeaderMalformed": "the bucket is in another region",
    "SlowDown": "the service refuses so many requests",
}
"""Sentences for the codes of errors."""

_BY_STATUS = {"301": "the bucket is in another region", "403": "access is denied", "404": "there is no such bucket"}
CREDENTIALS_HINT = "set the credentials that the service's own tools use, such as AWS_PROFILE or AWS_ACCESS_KEY_ID"
_HINTS = {
    "there is no such bucket": "check the name of the bucket, and the endpoint (AWS_ENDPOINT_URL)",
    "there is no such container": "check the name of the container, and AZURE_STORAGE_ACCOUNT_NAME",
    "the bucket is in another region": "set AWS_REGION to the region of the bucket",
    "the service refuses so many requests": "lower --concurrency",
}


def hint_for(reason: str) -> str:
    """What the user can do about a reason."""
    return _HINTS.get(reason, CREDENTIALS_HINT)


def reason_of_refusal(error: Exception) -> str:
    """Why a service refused, without its answer."""
    text = str(error)
    code = re.search(r"<Code>(\w+)</Code>", text)
    status = re.search(r"status code: (\d+)", text)
    if code and code[1] in _REASONS:
        return _REASONS[code[1]]
    if "redirect without LOCATION" in text:
        # Amazon S3 answers so, and obstore does not give the code of the error.
        return _BY_STATUS["301"]
    if status:
        return _BY_STATUS.get(status[1], f"the service answers with status {status[1]}")
    if "loading credentials" in text:
        return "there are no credentials"
    if "error sending request" in text:
        return "the service cannot be reached"
    return "the connection broke"
