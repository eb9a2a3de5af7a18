# Reads queues and signs requests with boto3, which knows nothing of mxhook. It takes one
# JSON object a line on standard input and answers each with one: {"do": "receive" | "send" |
# "sign", …}.
import base64, hashlib, json, sys

import boto3, botocore.exceptions
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials


def client(service, endpoint):
    return boto3.client(service, endpoint_url=endpoint, region_name="eu-central-1", aws_access_key_id="AKIDEXAMPLE",
                        aws_secret_access_key="key-canary", config=Config(retries={"max_attempts": 0}, s3={"addressing_style": "path"}))


def receive(q):
    sqs, messages = client("sqs", q["endpoint"]), []
    while True:  # boto3 checks the digest of each body
        got = sqs.receive_message(QueueUrl=q["queue"], MaxNumberOfMessages=10, WaitTimeSeconds=0, MessageAttributeNames=["All"], AttributeNames=["All"]).get("Messages", [])
        if not got:
            return {"messages": messages}
        for m in got:
            sqs.delete_message(QueueUrl=q["queue"], ReceiptHandle=m["ReceiptHandle"])
            attributes = {k: [v["DataType"], v["StringValue"]] for k, v in m.get("MessageAttributes", {}).items()}
            one = {"body": m["Body"], "attributes": attributes, "group": m.get("Attributes", {}).get("MessageGroupId", ""), "object": None}
            if "ExtendedPayloadSize" in attributes and q.get("s3"):
                kind, where = json.loads(m["Body"])
                assert kind == "software.amazon.payloadoffloading.PayloadS3Pointer", kind
                content = client("s3", q["s3"]).get_object(Bucket=where["s3BucketName"], Key=where["s3Key"])["Body"].read()
                one["object"] = {"key": where["s3Key"], "size": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            messages.append(one)


def send(q):
    attributes = {k: {"DataType": t, "StringValue": v} for k, (t, v) in q["attributes"].items()}
    try:
        client("sqs", q["endpoint"]).send_message(QueueUrl=q["queue"], MessageBody="a" * q["size"], MessageAttributes=attributes)
        return {"error": ""}
    except botocore.exceptions.ClientError as e:
        return {"error": e.response["Error"]["Code"]}


def sign(q):
    # The request as it was received, signed anew at the time that it says.
    body = base64.b64decode(q["body"])
    signed = q["signed_headers"].split(";")
    request = AWSRequest(method=q["method"], url=q["url"], data=body, headers={k: v for k, v in q["headers"].items() if k.lower() in signed and k.lower() != "host"})
    signer = SigV4Auth(Credentials(q["key_id"], q["secret"]), "sqs", q["region"])
    request.context["timestamp"] = q["headers"]["X-Amz-Date"]
    canonical = signer.canonical_request(request)
    return {"signature": signer.signature(signer.string_to_sign(request, canonical), request), "canonical": canonical}


for line in sys.stdin:
    q = json.loads(line)
    print(json.dumps({"receive": receive, "send": send, "sign": sign}[q["do"]](q)), flush=True)
