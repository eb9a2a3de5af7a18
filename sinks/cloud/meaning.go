package cloud

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"mxhook/inbound/status"
	"mxhook/sinks"
	"mxhook/sinks/internal/attempt"
)

// Meaning is what an answer that is no yes means.
type Meaning struct {
	Condition *status.Condition
	Detail    string // in words that may be logged
	Retry     bool   // another attempt in this transaction may help
	Health    sinks.Health
	// Credentials says that the server doesn't take them: those of now may be others.
	Credentials bool
}

// Code returns the error code of a server's answer, "" where err has none. It is at most
// 64 letters, digits and dots, so that it may be logged.
func Code(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	code := api.ErrorCode()
	if strings.ContainsFunc(code, func(r rune) bool {
		return r != '.' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
	}) || len(code) > 64 {
		return ""
	}
	return code
}

// StatusOf returns the HTTP status of a server's answer, 0 where err is none.
func StatusOf(err error) int {
	var r *smithyhttp.ResponseError
	if errors.As(err, &r) {
		return r.HTTPStatusCode()
	}
	return 0
}

// What a code says beside the status of its answer, which is often 400 or 403.
var codes = map[string]struct {
	condition *status.Condition // nil: by the status
	retry     bool
	health    sinks.Health
	hint      string
}{
	"InvalidAccessKeyId":                      {hint: "the access key is unknown"},
	"XAdminUserNotFound":                      {hint: "the access key is unknown"}, // versitygw
	"SignatureDoesNotMatch":                   {hint: "the secret access key is wrong"},
	"AccessDenied":                            {hint: "the credentials don't permit this"},
	"AccessDeniedException":                   {hint: "the credentials don't permit this"},
	"ExpiredToken":                            {hint: "the credentials have expired"},
	"ExpiredTokenException":                   {hint: "the credentials have expired"},
	"InvalidToken":                            {hint: "the session token is not valid"},
	"InvalidClientTokenId":                    {hint: "the access key is unknown"},
	"NoSuchBucket":                            {hint: "the bucket doesn't exist"},
	"PermanentRedirect":                       {hint: "the bucket is in another region"},
	"TemporaryRedirect":                       {hint: "the bucket is in another region, or quite new"},
	"AuthorizationHeaderMalformed":            {hint: "the region is wrong"},
	"IllegalLocationConstraint":               {hint: "the region is wrong"},
	"NotImplemented":                          {status.SinkOperator, false, sinks.Well, "the server doesn't know this"},
	"AWS.SimpleQueueService.NonExistentQueue": {hint: "the queue doesn't exist"},
	"QueueDoesNotExist":                       {hint: "the queue doesn't exist"},
	// The SDK learns the server's clock of this answer and signs the next request by it.
	"RequestTimeTooSkewed": {status.SinkOperator, true, sinks.Well, "our clock is more than 15 minutes off"},

	"SlowDown":                 {status.SinkBusy, true, sinks.Unreachable, ""},
	"Throttling":               {status.SinkBusy, true, sinks.Unreachable, ""},
	"ThrottlingException":      {status.SinkBusy, true, sinks.Unreachable, ""},
	"RequestThrottled":         {status.SinkBusy, true, sinks.Unreachable, ""},
	"KMS.ThrottlingException":  {status.SinkBusy, true, sinks.Unreachable, ""},
	"KmsThrottled":             {status.SinkBusy, true, sinks.Unreachable, ""},
	"RequestLimitExceeded":     {status.SinkBusy, true, sinks.Unreachable, ""},
	"TooManyRequestsException": {status.SinkBusy, true, sinks.Unreachable, ""},
	"OverLimit":                {status.SinkBusy, true, sinks.Unreachable, ""},
	"ServiceUnavailable":       {status.SinkBusy, true, sinks.Unreachable, ""},
	"RequestTimeout":           {status.SinkBusy, true, "", "our request came too slowly"},
	"IncompleteBody":           {status.SinkUnavailable, true, sinks.Failing, "the request was cut off"},

	// The object's digest: what came is not what was sent.
	"BadDigest":                 {status.SinkFailed, true, sinks.Failing, "the object was damaged on its way"},
	"XAmzContentSHA256Mismatch": {status.SinkFailed, true, sinks.Failing, "the object was damaged on its way"},

	"EntityTooLarge": {status.SinkTooBig, false, sinks.Well, ""},
}

var credentialCodes = []string{"InvalidAccessKeyId", "XAdminUserNotFound", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException", "InvalidToken", "InvalidClientTokenId"}

// MeaningOf says what a status that is neither 2xx nor known to the sink means, and the
// error code that came with it. It is pure.
func MeaningOf(httpStatus int, code string) Meaning {
	m := byStatus(httpStatus)
	number := strconv.Itoa(httpStatus)
	m.Detail = "HTTP " + number
	if code != "" && code != number { // the SDK's stand-in for a code that the answer lacks
		m.Detail += " " + code
	}
	row, known := codes[code]
	if known && row.condition != nil {
		m.Condition, m.Retry, m.Health = row.condition, row.retry, row.health
	}
	m.Credentials = slices.Contains(credentialCodes, code)
	if row.hint != "" {
		m.Detail += ": " + row.hint
	}
	return m
}

func byStatus(code int) Meaning {
	switch code {
	case http.StatusConflict: // another writer is at the same object
		return Meaning{Condition: status.SinkBusy, Retry: true, Health: sinks.Well}
	case http.StatusRequestEntityTooLarge:
		return Meaning{Condition: status.SinkTooBig, Health: sinks.Well}
	case http.StatusRequestTimeout, http.StatusTooEarly:
		return Meaning{Condition: status.SinkBusy, Retry: true}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return Meaning{Condition: status.SinkBusy, Retry: true, Health: sinks.Unreachable}
	case http.StatusGatewayTimeout:
		return Meaning{Condition: status.SinkTimeout, Retry: true, Health: sinks.Unreachable}
	case http.StatusBadGateway:
		return Meaning{Condition: status.SinkFailed, Retry: true, Health: sinks.Unreachable}
	}
	switch code / 100 {
	case 3, 4:
		return Meaning{Condition: status.SinkOperator, Health: sinks.Well}
	case 5:
		return Meaning{Condition: status.SinkFailed, Retry: true, Health: sinks.Failing}
	}
	return Meaning{Condition: status.SinkUnavailable, Retry: true, Health: sinks.Failing}
}

// result is that of an attempt that had such an answer.
func (m Meaning) result(op, host string, h http.Header, now time.Time) result {
	words := m.Detail + " (" + host + ")"
	r := result{err: m.Condition.Wrap(op, errors.New(words)), detail: words, retry: m.Retry, after: -1, health: m.Health}
	if m.Retry {
		r.after = attempt.RetryAfter(h.Get("Retry-After"), now)
	}
	return r
}
