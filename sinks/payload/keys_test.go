package payload

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// contractKeys are the keys of mxhook.v1 in order.
const contractKeys = `schema id received_at route envelope
envelope.reverse_path envelope.recipients
envelope.recipients.address envelope.recipients.local_part envelope.recipients.domain envelope.recipients.user envelope.recipients.tag envelope.recipients.captures
envelope.helo envelope.remote_ip envelope.remote_name envelope.protocol envelope.smtputf8 envelope.tls
envelope.tls.version envelope.tls.cipher envelope.tls.server_name envelope.user envelope.size
envelope.provider envelope.provider.name envelope.provider.message_id
envelope.provider.spf envelope.provider.dkim envelope.provider.dmarc envelope.provider.spam envelope.provider.virus
authentication authentication.spf authentication.spf.result authentication.spf.domain authentication.spf.reason authentication.spf.mechanism authentication.spf.explanation authentication.spf.dnssec
authentication.spf_helo authentication.spf_helo.result authentication.spf_helo.domain authentication.spf_helo.reason authentication.spf_helo.mechanism authentication.spf_helo.explanation authentication.spf_helo.dnssec
authentication.dkim authentication.dkim.result authentication.dkim.domain authentication.dkim.selector authentication.dkim.algorithm authentication.dkim.aligned authentication.dkim.reason authentication.dkim.identity authentication.dkim.key_bits authentication.dkim.oversigned authentication.dkim.unsigned authentication.dkim.testing authentication.dkim.signed_at authentication.dkim.expires_at authentication.dkim.dnssec
authentication.dmarc authentication.dmarc.result authentication.dmarc.domain authentication.dmarc.policy_domain authentication.dmarc.organizational_domain
authentication.dmarc.policy authentication.dmarc.disposition authentication.dmarc.spf_aligned authentication.dmarc.dkim_aligned authentication.dmarc.reason authentication.dmarc.aggregate_reports authentication.dmarc.failure_reports authentication.dmarc.testing authentication.dmarc.dnssec
authentication.arc authentication.arc.result authentication.arc.chain_length authentication.arc.sealers authentication.arc.trusted authentication.arc.reason
authentication.iprev authentication.iprev.result authentication.iprev.name authentication.iprev.reason authentication.helo authentication.helo.result authentication.helo.name authentication.helo.reason
authentication.from_verified authentication.from_verified_by authentication.from_verified_reason authentication.header
message message.message_id message.date message.subject message.from message.from.name message.from.address
message.sender message.sender.name message.sender.address message.reply_to message.reply_to.name message.reply_to.address
message.to message.to.name message.to.address message.cc message.cc.name message.cc.address message.bcc message.bcc.name message.bcc.address
message.in_reply_to message.references message.headers message.headers.name message.headers.value
message.text message.html message.text_from_html message.reply message.reply.text message.reply.quoted message.reply.signature
message.attachments message.attachments.filename message.attachments.content_type message.attachments.charset message.attachments.disposition
message.attachments.content_id message.attachments.size message.attachments.sha256 message.attachments.content message.attachments.url
message.class message.automatic message.automatic.auto_submitted message.automatic.precedence message.automatic.reason
message.list message.list.id message.list.unsubscribe message.list.one_click
message.bounce message.bounce.format message.bounce.reporting_mta message.bounce.arrival_date message.bounce.original_envelope_id
message.bounce.recipients message.bounce.recipients.address message.bounce.recipients.original_recipient message.bounce.recipients.action message.bounce.recipients.status
message.bounce.recipients.reply message.bounce.recipients.diagnostic message.bounce.recipients.remote_mta
message.bounce.original_message_id message.bounce.original_headers message.bounce.original_headers.name message.bounce.original_headers.value
message.feedback_report message.feedback_report.feedback_type message.feedback_report.user_agent message.feedback_report.version message.feedback_report.source_ip
message.feedback_report.arrival_date message.feedback_report.incidents message.feedback_report.reporting_mta message.feedback_report.original_envelope_id
message.feedback_report.original_mail_from message.feedback_report.original_rcpt_to message.feedback_report.reported_domain message.feedback_report.reported_uri
message.feedback_report.authentication_results message.feedback_report.auth_failure message.feedback_report.delivery_result
message.feedback_report.original_message_id message.feedback_report.original_headers message.feedback_report.original_headers.name message.feedback_report.original_headers.value
message.calendar message.calendar.component message.calendar.method message.calendar.uid message.calendar.recurrence_id message.calendar.recurrence_id.value
message.calendar.recurrence_id.tzid message.calendar.recurrence_id.date_only message.calendar.recurrence_id.utc message.calendar.sequence message.calendar.status
message.calendar.summary message.calendar.description message.calendar.location message.calendar.start message.calendar.start.value message.calendar.start.tzid
message.calendar.start.date_only message.calendar.start.utc message.calendar.end message.calendar.end.value message.calendar.end.tzid message.calendar.end.date_only
message.calendar.end.utc message.calendar.rrule message.calendar.organizer message.calendar.organizer.name message.calendar.organizer.address
message.calendar.organizer.role message.calendar.organizer.partstat message.calendar.organizer.rsvp message.calendar.attendees message.calendar.attendees.name
message.calendar.attendees.address message.calendar.attendees.role message.calendar.attendees.partstat message.calendar.attendees.rsvp
message.security message.security.signed message.security.encrypted message.defects message.defects.part message.defects.code message.defects.text
raw raw.size raw.sha256 raw.content raw.url`

// keysOf lists the keys of a JSON text in order, each path once. What stands in
// captures is not listed: its keys are the route's.
func keysOf(t testing.TB, p []byte) []string {
	t.Helper()
	var keys []string
	var walk func(d *json.Decoder, path string)
	walk = func(d *json.Decoder, path string) {
		tok, err := d.Token()
		if err != nil {
			t.Fatal(err)
		}
		for delim := tok; delim == json.Delim('{') || delim == json.Delim('['); {
			if !d.More() {
				d.Token()
				return
			}
			at := path
			if delim == json.Delim('{') {
				name, err := d.Token()
				if err != nil {
					t.Fatal(err)
				}
				at = strings.TrimPrefix(path+"."+name.(string), ".")
				if !strings.Contains(path, ".captures") && !slices.Contains(keys, at) {
					keys = append(keys, at)
				}
			}
			walk(d, at)
		}
	}
	walk(json.NewDecoder(bytes.NewReader(p)), "")
	return keys
}

func TestNativeHasTheKeysInOrder(t *testing.T) {
	p := readAll(t, native1(t, fullEvent(same), Include{HTML: true}))
	got, want := keysOf(t, p), strings.Fields(contractKeys)
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}
