# Verifies messages with dkimpy. A line of standard input is {"records": {name: text}}, the
# TXT records from there on, or {"message": base64}; for each message a line is written,
# {"dkim": [{"result", "reason"}, one for each signature], "arc": result}.
import base64, json, sys
import dkim

records = {}

def txt(name, timeout=5):
    name = name.decode() if isinstance(name, bytes) else name
    text = records.get(name.rstrip(".").lower())
    return text.encode("utf-8", "surrogateescape") if text is not None else None

def signature(message, index):
    try:
        d = dkim.DKIM(message, minkey=1024)
        good = d.verify(index, dnsfunc=txt)
        return {"result": "pass" if good else "fail", "reason": ""}
    except Exception as e:
        return {"result": "fail", "reason": "%s: %s" % (type(e).__name__, e)}

def chain(message):
    try:
        cv, _, reason = dkim.ARC(message, minkey=1024).verify(dnsfunc=txt)
        return {"result": {None: "ended", b"none": "none", b"pass": "pass", b"fail": "fail"}[cv], "reason": str(reason)}
    except Exception as e:
        return {"result": "fail", "reason": "%s: %s" % (type(e).__name__, e)}

for line in sys.stdin:
    case = json.loads(line)
    if "records" in case:
        records = case["records"]
        continue
    message = base64.b64decode(case["message"])
    try:
        count = sum(1 for name, _ in dkim.DKIM(message).headers if name.lower() == b"dkim-signature")
    except Exception:
        count = 0
    print(json.dumps({"dkim": [signature(message, i) for i in range(count)], "arc": chain(message)}), flush=True)
