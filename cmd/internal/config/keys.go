package config

import (
	"time"

	"mxhook/routing"
)

// kind is the type of a key's value, in the words of the reference.
type kind string

const (
	kindText     kind = "text"
	kindTexts    kind = "text or list" // of texts
	kindList     kind = "list"         // of texts
	kindNumber   kind = "number"
	kindNumbers  kind = "list of numbers"
	kindBool     kind = "true or false"
	kindDuration kind = "duration"
	kindSize     kind = "size"
	kindEnum     kind = "one of"
	kindEnums    kind = "list of" // of enum values
	kindMapping  kind = "mapping"
	kindMappings kind = "list of mappings"
	kindNames    kind = "mapping by name" // whose keys are the user's
)

// key is one key of the file: the only place that knows its type, its bounds
// and default.
type key struct {
	section, name string
	kind          kind
	values        []string // of an enum
	byDefault     string   // as the file would say it; "" for none
	min, max      int64    // of numbers, durations (nanoseconds) and sizes (octets); max 0 is none
	secret        bool     // NAME_file may stand in its place
	text          string
}

const (
	second = int64(time.Second)
	hour   = int64(time.Hour)
	mib    = int64(1 << 20)
	gib    = int64(1 << 30)
)

var keys = []key{
	{section: "", name: "hostname", kind: kindText, text: "our name in the banner, EHLO, Received and Authentication-Results; default the host's name"},
	{section: "", name: "state", kind: kindText, byDefault: "./mxhook-data", text: "folder of the ledger, the spool, dead events and temporary files; one process has it"},
	{section: "", name: "log", kind: kindMapping},
	{section: "", name: "admin", kind: kindMapping},
	{section: "", name: "listeners", kind: kindMappings, text: `default: one mx on ":25"`},
	{section: "", name: "limits", kind: kindMapping},
	{section: "", name: "verify", kind: kindMapping},
	{section: "", name: "delivery", kind: kindMapping},
	{section: "", name: "spool", kind: kindMapping},
	{section: "", name: "sinks", kind: kindNames, text: "those who take the mail, by name"},
	{section: "", name: "routes", kind: kindMappings, text: "needed, unless there are sources; for each recipient the first that matches wins"},
	{section: "", name: "sources", kind: kindMappings, text: "queues whose events a worker takes and delivers; without routes and listeners nothing listens"},

	{section: "log", name: "level", kind: kindEnum, values: []string{"debug", "info", "warn", "error"}, byDefault: "info"},
	{section: "log", name: "format", kind: kindEnum, values: []string{"json", "text"}, text: "default: text on a terminal, else json"},

	{section: "admin", name: "address", kind: kindText, text: "HOST:PORT of the page, metrics and health; off without it"},
	{section: "admin", name: "token", kind: kindText, secret: true, text: "off loopback /metrics and the page need it"},

	{section: "sources[]", name: "name", kind: kindText, text: "default: its number; in the log and in metrics"},
	{section: "sources[]", name: "type", kind: kindEnum, values: []string{"sqs"}, text: "needed"},
	{section: "sources[]", name: "queue_url", kind: kindText, text: "needed; the queue that an sqs sink of another mxhook fills"},
	{section: "sources[]", name: "region", kind: kindText, text: "default: what the SDK's own chain says"},
	{section: "sources[]", name: "endpoint", kind: kindText, text: "of an SQS-compatible server"},
	{section: "sources[]", name: "access_key_id", kind: kindText, text: "default: the SDK's own chain: environment, shared files, web identity, container, instance role"},
	{section: "sources[]", name: "secret_access_key", kind: kindText, secret: true, text: "belongs to access_key_id"},
	{section: "sources[]", name: "session_token", kind: kindText, secret: true, text: "of temporary credentials"},
	{section: "sources[]", name: "deliver", kind: kindList, text: "needed; required sinks: a message leaves the queue when all of them have it"},
	{section: "sources[]", name: "optional", kind: kindList, text: "sinks that a message doesn't wait for"},
	{section: "sources[]", name: "concurrency", kind: kindNumber, byDefault: "16", min: 1, max: 1000, text: "messages at once"},
	{section: "sources[]", name: "visibility_timeout", kind: kindDuration, byDefault: "0s", max: 12 * hour, text: "for how long the queue hides a message from other workers; it is extended while the message is being delivered; 0s: what the queue says"},
	{section: "sources[]", name: "wait", kind: kindDuration, byDefault: "20s", max: 20 * second, text: "how long the queue is asked to wait for a message (long polling)"},

	{section: "listeners[]", name: "address", kind: kindText, text: "needed; HOST:PORT; unix:/PATH for kind lmtp; systemd:NAME takes the sockets that a systemd socket unit hands over, by its FileDescriptorName (without one the unit's name)"},
	{section: "listeners[]", name: "kind", kind: kindEnum, values: []string{"mx", "submission", "lmtp"}, byDefault: "mx", text: "submission for devices and apps of your own, which must AUTH (RFC 6409); lmtp for a mail system of your own that relays to us (RFC 2033)"},
	{section: "listeners[]", name: "tls", kind: kindMapping, text: "a list of mappings gives several certificates: the first that suits the name and the algorithms that a client asks for is used, else the first"},
	{section: "listeners[]", name: "proxy_protocol", kind: kindList, text: "networks of load balancers whose PROXY header (version 1 or 2) is required; from others it is refused"},
	{section: "listeners[]", name: "users", kind: kindMappings, text: "of kind submission, which needs them"},

	{section: "listeners[].tls", name: "mode", kind: kindEnum, values: []string{"none", "starttls", "required", "implicit"}, text: "default starttls with a certificate, none without"},
	{section: "listeners[].tls", name: "cert_file", kind: kindTexts, text: "PEM, the chain from the leaf on; read again when the file changes; a list goes with a list of keys"},
	{section: "listeners[].tls", name: "key_file", kind: kindTexts, text: "PEM"},
	{section: "listeners[].tls", name: "min_version", kind: kindEnum, values: []string{"1.0", "1.1", "1.2", "1.3"}, byDefault: "1.2", text: "below 1.2 for old senders alone; it lets RSA key exchange in, too"},

	{section: "listeners[].users[]", name: "name", kind: kindText, text: "needed; at most 255 octets; upper and lower case differ"},
	{section: "listeners[].users[]", name: "password_hash", kind: kindText, secret: true, text: "needed; what `mxhook hash-password` prints"},

	{section: "limits", name: "message_size", kind: kindSize, byDefault: "25MiB", min: 1, max: 2 * gib},
	{section: "limits", name: "recipients", kind: kindNumber, byDefault: "100", min: 1, max: 100_000, text: "of one transaction"},
	{section: "limits", name: "connections", kind: kindNumber, byDefault: "1000", min: 1, max: 1_000_000, text: "fewer when the process may not have so many files open"},
	{section: "limits", name: "connections_per_ip", kind: kindNumber, byDefault: "50", min: 1, max: 1_000_000, text: "from one IPv4 address or IPv6 /64"},
	{section: "limits", name: "messages_per_ip", kind: kindNumber, byDefault: "0", max: 1_000_000, text: "that one of those begins in a minute; 0 is no limit"},
	{section: "limits", name: "memory", kind: kindSize, byDefault: "256MiB", min: mib, max: 1 << 50, text: "message bytes in memory over all sessions; beyond it they go to files under state/tmp, as messages over 1MiB always do while the disk takes them"},
	{section: "limits", name: "disk_reserve", kind: kindSize, byDefault: "1GiB", max: 1 << 50, text: "when less is free on the file system of state, mail is answered with 452 4.3.1; 0 is no reserve"},
	{section: "limits", name: "command_time", kind: kindDuration, byDefault: "5m", min: second, max: hour, text: "idle between commands, and within the data"},
	{section: "limits", name: "min_rate", kind: kindNumber, byDefault: "500", min: 1, max: gib, text: "octets a second, averaged after the first minute of data"},
	{section: "limits", name: "transaction_time", kind: kindDuration, byDefault: "1h", min: second, max: 24 * hour},
	{section: "limits", name: "errors", kind: kindNumber, byDefault: "20", min: 1, max: 100_000, text: "5xx replies of one session"},

	{section: "verify", name: "resolver", kind: kindList, text: "IP:PORT of DNS servers; default the system's"},
	{section: "verify", name: "timeout", kind: kindDuration, byDefault: "10s", min: int64(time.Millisecond), max: 60 * second, text: "all look-ups of a message together"},
	{section: "verify", name: "trusted_relays", kind: kindList, text: "networks of your own relays: behind them, and on lmtp, spf and iprev are none"},
	{section: "verify", name: "trusted_arc_sealers", kind: kindList, text: "domains (d= of ARC-Seal) whose word on DMARC counts for from_verified; some sealers seal whatever their tenants send"},
	{section: "verify", name: "reject", kind: kindMapping, text: "which facts refuse mail, besides being told; never for postmaster, users who log in and, but for null_mx and some of dmarc, what comes from trusted_relays or by lmtp"},

	{section: "verify.reject", name: "dmarc", kind: kindBool, byDefault: "false", text: "550 5.7.1 after the data when DMARC fails and the author's domain says reject; verify/README.md says for whom"},
	{section: "verify.reject", name: "spf", kind: kindBool, byDefault: "false", text: "550 5.7.23 at RCPT when SPF fails for the reverse-path's domain (HELO's for the null one); it refuses forwarded mail, too"},
	{section: "verify.reject", name: "null_mx", kind: kindBool, byDefault: "false", text: "550 5.7.27 at MAIL when the sender's domain says that it takes no mail (RFC 7505)"},
	{section: "verify.reject", name: "no_ptr", kind: kindBool, byDefault: "false", text: "550 5.7.25 at RCPT when the peer's address has no PTR record; a record that leads elsewhere is iprev fail in the payload, and no reason to refuse"},

	{section: "delivery", name: "budget", kind: kindDuration, byDefault: "30s", min: int64(10 * time.Millisecond), max: 300 * second, text: "how long the sender waits after the final dot"},
	{section: "delivery", name: "ledger", kind: kindDuration, byDefault: "192h", max: 8760 * hour, text: "how long a done unit is remembered, by default longer than any known sender tries; 0: no ledger"},

	{section: "spool", name: "max_bytes", kind: kindSize, byDefault: "10GiB", min: 1, max: 1 << 50, text: "of waiting and dead events together; at it mail that needs the spool is deferred"},
	{section: "spool", name: "max_age", kind: kindDuration, byDefault: "72h", min: second, max: 8760 * hour, text: "how long an event waits for its sink before it is a dead one"},

	{section: "webhook", name: "type", kind: kindEnum, values: sinkTypes, text: "webhook"},
	{section: "webhook", name: "url", kind: kindText, text: "needed; http or https; {captures} in path and query"},
	{section: "webhook", name: "format", kind: kindEnum, values: formatNames, byDefault: "mxhook", text: "what is written, see sinks/payload/README.md"},
	{section: "webhook", name: "secret", kind: kindTexts, secret: true, text: "Standard Webhooks: whsec_ and 24 to 64 octets in base64; a list rotates keys. A provider's format has the provider's own key"},
	{section: "webhook", name: "headers", kind: kindNames, text: "added to each request; NAME_file names a file that holds the value of NAME"},
	{section: "webhook", name: "timeout", kind: kindDuration, byDefault: "25s", min: int64(10 * time.Millisecond), max: 600 * second, text: "one attempt"},
	{section: "webhook", name: "attempts", kind: kindNumber, byDefault: "2", min: 1, max: 100, text: "inside the budget"},
	{section: "webhook", name: "concurrency", kind: kindNumber, byDefault: "64", min: 1, max: 100_000, text: "requests at once"},
	{section: "webhook", name: "fan_out", kind: kindEnum, values: []string{"message", "recipient"}, byDefault: "message", text: "recipients in one event: all, or one; a url with captures is always recipient"},
	{section: "webhook", name: "include", kind: kindMapping},
	{section: "webhook", name: "reject_on", kind: kindNumbers, byDefault: "[406]", min: 400, max: 599, text: "HTTP status codes that refuse the mail for good"},
	{section: "webhook", name: "circuit", kind: kindMapping, text: "keeps mail away while the sink takes none, see sinks/README.md"},
	{section: "webhook", name: "proxy", kind: kindText, text: "of HTTP: http://[USER:PASSWORD@]HOST:PORT, or https://; the environment's are not used. See sinks/webhook/README.md"},
	{section: "webhook", name: "tls", kind: kindMapping},

	{section: "webhook.include", name: "attachments", kind: kindText, byDefault: "inline", text: "`inline`, `metadata`, or `store:SINK`: kept by the dir or s3 sink of that name, with a url in the payload"},
	{section: "webhook.include", name: "raw", kind: kindText, byDefault: "none", text: "`none`, `inline` or `store:SINK`"},
	{section: "webhook.include", name: "html", kind: kindBool, byDefault: "true"},

	{section: "webhook.circuit", name: "failures", kind: kindNumber, byDefault: "5", max: 10_000, text: "attempts in a row that find the sink unreachable open it; 0 switches it off"},
	{section: "webhook.circuit", name: "open", kind: kindDuration, byDefault: "5s", min: int64(10 * time.Millisecond), max: hour, text: "how long, until one message is let through to see"},

	{section: "webhook.tls", name: "ca_file", kind: kindText, text: "PEM; in place of the system's authorities"},
	{section: "webhook.tls", name: "cert_file", kind: kindText, text: "PEM; our own certificate"},
	{section: "webhook.tls", name: "key_file", kind: kindText, text: "PEM"},

	{section: "s3", name: "type", kind: kindEnum, values: sinkTypes, text: "s3"},
	{section: "s3", name: "bucket", kind: kindText, text: "needed; what is kept there and how, see sinks/s3/README.md"},
	{section: "s3", name: "prefix", kind: kindText, text: "begins each key; {route} {year} {month} {day} {domain}, the date being that of the first try; one event a domain with {domain}"},
	{section: "s3", name: "content", kind: kindEnums, values: []string{"raw", "json", "attachments"}, byDefault: "[raw, json]", text: "PREFIX + id + .eml, .json, /N"},
	{section: "s3", name: "region", kind: kindText, text: "default: AWS_REGION or the shared files"},
	{section: "s3", name: "endpoint", kind: kindText, text: "of another server than AWS's: https://HOST[:PORT]"},
	{section: "s3", name: "path_style", kind: kindBool, byDefault: "false", text: "the bucket in the path, not in the host: most other servers want it"},
	{section: "s3", name: "overwrite", kind: kindBool, byDefault: "false", text: "for servers without If-None-Match: a resend writes again"},
	{section: "s3", name: "storage_class", kind: kindText, text: "such as STANDARD_IA; default the bucket's"},
	{section: "s3", name: "server_side_encryption", kind: kindText, text: "AES256, aws:kms or aws:kms:dsse; default the bucket's"},
	{section: "s3", name: "kms_key_id", kind: kindText, text: "with aws:kms; default AWS's own key"},
	{section: "s3", name: "tags", kind: kindNames, text: "of each object, by name; {route} in a value is the route's name; needs s3:PutObjectTagging"},
	{section: "s3", name: "url_expiry", kind: kindDuration, byDefault: "168h", min: second, max: 168 * hour, text: "of the URLs of what other sinks store here; shorter where the credentials end before"},
	{section: "s3", name: "access_key_id", kind: kindText, text: "default: the SDK's chain (environment, shared files, web identity, container, instance role)"},
	{section: "s3", name: "secret_access_key", kind: kindText, secret: true, text: "goes with access_key_id"},
	{section: "s3", name: "session_token", kind: kindText, secret: true, text: "of temporary keys"},
	{section: "s3", name: "timeout", kind: kindDuration, byDefault: "25s", min: int64(10 * time.Millisecond), max: 600 * second, text: "one attempt, with all objects of an event"},
	{section: "s3", name: "attempts", kind: kindNumber, byDefault: "3", min: 1, max: 100, text: "inside the budget; the SDK's own retries are off"},
	{section: "s3", name: "concurrency", kind: kindNumber, byDefault: "64", min: 1, max: 100_000, text: "events at once"},
	{section: "s3", name: "circuit", kind: kindMapping, text: "keeps mail away while the bucket takes none, see sinks/README.md"},
	{section: "s3", name: "tls", kind: kindMapping},

	{section: "s3.circuit", name: "failures", kind: kindNumber, byDefault: "5", max: 10_000, text: "as a webhook's"},
	{section: "s3.circuit", name: "open", kind: kindDuration, byDefault: "5s", min: int64(10 * time.Millisecond), max: hour, text: "as a webhook's"},

	{section: "s3.tls", name: "ca_file", kind: kindText, text: "PEM; in place of the system's authorities"},
	{section: "s3.tls", name: "cert_file", kind: kindText, text: "PEM; our own certificate"},
	{section: "s3.tls", name: "key_file", kind: kindText, text: "PEM"},

	{section: "sqs", name: "type", kind: kindEnum, values: sinkTypes, text: "sqs"},
	{section: "sqs", name: "queue_url", kind: kindText, text: "needed; one that ends in .fifo is a FIFO queue: group = recipient, deduplication id = event id"},
	{section: "sqs", name: "region", kind: kindText, text: "default: the one in queue_url, else what the SDK finds"},
	{section: "sqs", name: "endpoint", kind: kindText, text: "of a server that is not Amazon's, or of a VPC endpoint; default: the server of queue_url"},
	{section: "sqs", name: "access_key_id", kind: kindText, text: "default: the SDK's chain (environment, shared files, web identity, container, instance role)"},
	{section: "sqs", name: "secret_access_key", kind: kindText, secret: true, text: "goes with access_key_id"},
	{section: "sqs", name: "session_token", kind: kindText, secret: true, text: "of temporary keys"},
	{section: "sqs", name: "format", kind: kindEnum, values: formatNames, byDefault: "mxhook", text: "one that is JSON, see sinks/payload/README.md"},
	{section: "sqs", name: "include", kind: kindMapping},
	{section: "sqs", name: "fan_out", kind: kindEnum, values: []string{"message", "recipient"}, byDefault: "message", text: "recipients in one message: all, or one; a FIFO queue is always recipient"},
	{section: "sqs", name: "max_size", kind: kindSize, byDefault: "0", max: mib, text: "of a message with its attributes; 0: what the queue says (MaximumMessageSize), at most 1MiB"},
	{section: "sqs", name: "overflow", kind: kindText, text: "the s3 sink to which larger payloads go, with a pointer in the message; without one they are 552 5.3.4"},
	{section: "sqs", name: "timeout", kind: kindDuration, byDefault: "10s", min: int64(10 * time.Millisecond), max: 600 * second, text: "one attempt"},
	{section: "sqs", name: "attempts", kind: kindNumber, byDefault: "3", min: 1, max: 100, text: "inside the budget"},
	{section: "sqs", name: "concurrency", kind: kindNumber, byDefault: "64", min: 1, max: 100_000, text: "requests at once"},
	{section: "sqs", name: "circuit", kind: kindMapping, text: "as that of a webhook"},
	{section: "sqs", name: "tls", kind: kindMapping},

	{section: "sqs.include", name: "attachments", kind: kindText, byDefault: "inline", text: "as that of a webhook"},
	{section: "sqs.include", name: "raw", kind: kindText, byDefault: "inline", text: "as that of a webhook, but inline in format mxhook, so that a worker can make every other format of it; `none` in others"},
	{section: "sqs.include", name: "html", kind: kindBool, byDefault: "true"},

	{section: "sqs.circuit", name: "failures", kind: kindNumber, byDefault: "5", max: 10_000, text: "as that of a webhook"},
	{section: "sqs.circuit", name: "open", kind: kindDuration, byDefault: "5s", min: int64(10 * time.Millisecond), max: hour},

	{section: "sqs.tls", name: "ca_file", kind: kindText, text: "PEM; in place of the system's authorities"},
	{section: "sqs.tls", name: "cert_file", kind: kindText, text: "PEM; our own certificate"},
	{section: "sqs.tls", name: "key_file", kind: kindText, text: "PEM"},

	{section: "dir", name: "type", kind: kindEnum, values: sinkTypes, text: "dir"},
	{section: "dir", name: "path", kind: kindText, text: "needed; ID.eml and ID.json go there, or with maildir: true new/ID"},
	{section: "dir", name: "url", kind: kindText, text: "where a web server of yours serves path, for what other sinks store here; default file:// and the path"},
	{section: "dir", name: "maildir", kind: kindBool, byDefault: "false", text: "path is a Maildir: each event is one message in its new/, and there is no JSON"},

	{section: "routes[]", name: "name", kind: kindText, text: "default: its number"},
	{section: "routes[]", name: "recipient", kind: kindTexts, text: "needed; patterns, see routing/README.md"},
	{section: "routes[]", name: "domains", kind: kindList, text: "needed when a pattern names no literal domain"},
	{section: "routes[]", name: "sender", kind: kindTexts, text: "patterns for the reverse-path; <> is the null one"},
	{section: "routes[]", name: "when", kind: kindMapping, text: "conditions on the message, decided after the data; all must hold, see [conditions](../../../routing/README.md#conditions)"},
	{section: "routes[]", name: "deliver", kind: kindList, text: "required sinks"},
	{section: "routes[]", name: "optional", kind: kindList, text: "sinks that are never the reason for a 4xx"},
	{section: "routes[]", name: "mode", kind: kindEnum, values: []string{"direct", "spool"}, byDefault: "direct", text: "spool: taken as soon as it is on disk, and then brought to the sinks of deliver"},
	{section: "routes[]", name: "spill_after", kind: kindDuration, byDefault: "0s", max: 8760 * hour, text: "spool what has been deferred for this long; 0: never. The ledger knows since when"},
	{section: "routes[]", name: "deduplicate", kind: kindBool, byDefault: "true", text: "leave out what the ledger knows as delivered"},
	{section: "routes[]", name: "continue", kind: kindBool, byDefault: "false", text: "the search goes on after this route has matched"},
	{section: "routes[]", name: "reject", kind: kindText, text: `refuse with this reply: "550 5.1.6 text"`},
	{section: "routes[]", name: "discard", kind: kindBool, byDefault: "false", text: "accept and drop"},
	{section: "routes[]", name: "accept", kind: kindMapping, text: "ask a URL at RCPT whether the recipient is wanted, see [accept](../../README.md#accept)"},

	{section: "routes[].when", name: "dmarc", kind: kindEnums, values: resultsOf("dmarc"), text: "DMARC of the author's domain"},
	{section: "routes[].when", name: "spf", kind: kindEnums, values: resultsOf("spf"), text: "SPF of the reverse-path; none behind your own relays"},
	{section: "routes[].when", name: "dkim", kind: kindEnums, values: resultsOf("dkim"), text: "the result of any signature; none without one"},
	{section: "routes[].when", name: "arc", kind: kindEnums, values: resultsOf("arc"), text: "the chain, whoever sealed it"},
	{section: "routes[].when", name: "from_verified", kind: kindBool, text: "whether the author's domain is proved"},
	{section: "routes[].when", name: "from", kind: kindTexts, text: "patterns of which one takes each author, as sender has them; a claim of the sender unless from_verified is true"},
	{section: "routes[].when", name: "subject", kind: kindTexts, text: "the whole decoded subject; * is any text, case does not matter"},
	{section: "routes[].when", name: "header", kind: kindNames, text: `header fields by name: text or list, * is any text, "*" wants the field alone`},
	{section: "routes[].when", name: "class", kind: kindEnums, values: classes(), text: "what kind of mail it is"},
	{section: "routes[].when", name: "size", kind: kindText, text: "of the message as received: \"<10MiB\", with <, <=, > or >="},

	{section: "routes[].accept", name: "url", kind: kindText, text: "needed; http or https, without captures; 2xx is yes, 406 or Smtp-Reply with a 5xx no, anything else 451"},
	{section: "routes[].accept", name: "secret", kind: kindTexts, secret: true, text: "Standard Webhooks: whsec_ and 24 to 64 octets in base64; a list rotates keys. A provider's format has the provider's own key"},
	{section: "routes[].accept", name: "cache", kind: kindDuration, byDefault: "60s", max: 24 * hour, text: "how long a yes or a no holds for the same question; 0: not at all"},
}

// resultsOf returns the results that a method may have.
func resultsOf(method string) (list []string) {
	for _, r := range routing.MethodResults(method) {
		list = append(list, string(r))
	}
	return list
}

func classes() (list []string) {
	for _, c := range routing.Classes() {
		list = append(list, string(c))
	}
	return list
}

var (
	sinkTypes   = []string{"webhook", "s3", "sqs", "dir"}
	formatNames = []string{"mxhook", "raw", "cloudevents", "postmark", "sendgrid", "sendgrid-raw", "mailgun", "mailgun-mime", "cloudmailin", "cloudmailin-multipart", "mandrill", "ses", "action-mailbox"}
)

// find returns the row of a key. Where NAME_file stands for a secret, it is a text.
func find(section, name string) (key, bool) {
	for _, k := range keys {
		if k.section != section {
			continue
		}
		if k.name == name {
			return k, true
		}
		if k.secret && k.name+"_file" == name {
			return key{section: section, name: name, kind: k.kind}, true
		}
	}
	return key{}, false
}

// names returns the names of a section's keys, in the table's order.
func names(section string) []string {
	var list []string
	for _, k := range keys {
		if k.section != section {
			continue
		}
		list = append(list, k.name)
		if k.secret {
			list = append(list, k.name+"_file")
		}
	}
	return list
}
