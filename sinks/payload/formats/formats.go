// Package formats knows every payload format by its name in the configuration: what its
// secret is, how many recipients it is made for, and how to make it. The formats
// themselves are in the folders beside it and don't know each other.
package formats

import (
	"fmt"
	"slices"

	"mxhook/sinks/payload"
	"mxhook/sinks/payload/actionmailbox"
	"mxhook/sinks/payload/cloudevents"
	"mxhook/sinks/payload/cloudmailin"
	"mxhook/sinks/payload/mailgun"
	"mxhook/sinks/payload/mandrill"
	"mxhook/sinks/payload/postmark"
	"mxhook/sinks/payload/sendgrid"
	"mxhook/sinks/payload/ses"
)

// Secret says what a format's `secret` is.
type Secret int

// The kinds of secrets.
const (
	// StandardWebhooks is whsec_ and base64; several rotate. The webhook sink signs, not
	// the format.
	StandardWebhooks Secret = iota
	// Key is one text that the provider calls a key or a password.
	Key
	// PEM is one private key of the provider's algorithm in PEM.
	PEM
)

// Kind is a format that this version can make.
type Kind struct {
	Name   string
	Secret Secret
	// OneRecipient says that the format is made for one recipient, so that each gets an
	// event of its own.
	OneRecipient bool
	// BasicAuth says that its receivers know the sender by the user and password of the
	// URL, so that a secret is not missed.
	BasicAuth bool
	// JSON says that the payload is JSON.
	JSON bool
	// AttachmentURL and RawURL say that the payload has a place for where an attachment
	// or the message is stored.
	AttachmentURL, RawURL bool
	// Raw says that the payload has a place for the message itself, and Whole that it is, or
	// always has, the message as it stands, from which nothing can be left out.
	Raw, Whole bool
	// RawMember is the member that always holds the whole message beside what is parsed of
	// it, so that nothing can be left out of that; "" without one.
	RawMember string
	// SecretIs says what Options.Secret is and where the app has its counterpart, "" for
	// StandardWebhooks. It follows "format NAME takes ".
	SecretIs string
	make     func(Options) (payload.Format, error)
}

// Options are what a sink wants of its format.
type Options struct {
	Include payload.Include
	// Secret is the sink's secret where Kind.Secret is not StandardWebhooks; "" for none.
	Secret string
}

// What the secrets are.
const (
	ecdsaKey = "a private ECDSA key of P-256 in PEM (not an API key): make one with openssl ecparam -name prime256v1 -genkey -noout -out key.pem, " +
		"name it in secret_file, and give the app what openssl ec -in key.pem -pubout prints, where it has SendGrid's verification key; " +
		"or, for an app that asks for a user and password instead, as Rails and django-anymail do, url: https://USER:PASSWORD@HOST/…"
	signingKey      = "the HTTP webhook signing key that the app has of Mailgun (MAILGUN_INGRESS_SIGNING_KEY in Rails, MAILGUN_WEBHOOK_SIGNING_KEY in django-anymail), or one of your own that you put there"
	webhookKey      = "the webhook key that the app has of Mandrill (MANDRILL_INGRESS_API_KEY in Rails, MANDRILL_WEBHOOK_KEY in django-anymail), or one of your own that you put there; url must be written as the app knows it, since the signature covers it"
	ingressPassword = "Rails' ingress password (RAILS_INBOUND_EMAIL_PASSWORD, or action_mailbox.ingress_password of its credentials)"
)

// kinds are all of them, the native one first.
func kinds() []Kind {
	return []Kind{
		{Name: "mxhook", Raw: true, JSON: true, AttachmentURL: true, RawURL: true, make: func(o Options) (payload.Format, error) { return payload.NativeFormat(o.Include), nil }},
		{Name: "raw", Raw: true, Whole: true, make: func(Options) (payload.Format, error) { return payload.RawFormat(), nil }},
		{Name: "cloudevents", Raw: true, JSON: true, AttachmentURL: true, RawURL: true, make: func(o Options) (payload.Format, error) { return cloudevents.New(o.Include), nil }},
		{Name: "ses", Raw: true, Whole: true, BasicAuth: true, JSON: true, make: func(Options) (payload.Format, error) { return ses.New(), nil }},
		{Name: "action-mailbox", Raw: true, Whole: true, Secret: Key, SecretIs: ingressPassword, OneRecipient: true, BasicAuth: true, make: func(o Options) (payload.Format, error) { return actionmailbox.New(o.Secret), nil }},
		{Name: "postmark", Raw: true, OneRecipient: true, BasicAuth: true, JSON: true, make: func(o Options) (payload.Format, error) { return postmark.New(o.Include), nil }},
		{Name: "sendgrid", Secret: PEM, SecretIs: ecdsaKey, BasicAuth: true, make: func(o Options) (payload.Format, error) { return sendgrid.New(o.Include, o.Secret) }},
		{Name: "sendgrid-raw", Raw: true, Whole: true, Secret: PEM, SecretIs: ecdsaKey, BasicAuth: true, make: func(o Options) (payload.Format, error) { return sendgrid.NewRaw(o.Secret) }},
		{Name: "mailgun", Secret: Key, SecretIs: signingKey, OneRecipient: true, AttachmentURL: true, make: func(o Options) (payload.Format, error) { return mailgun.New(o.Include, o.Secret), nil }},
		{Name: "mailgun-mime", Raw: true, Whole: true, Secret: Key, SecretIs: signingKey, OneRecipient: true, make: func(o Options) (payload.Format, error) { return mailgun.NewMIME(o.Secret), nil }},
		{Name: "cloudmailin", OneRecipient: true, BasicAuth: true, JSON: true, AttachmentURL: true, make: func(o Options) (payload.Format, error) { return cloudmailin.New(o.Include), nil }},
		{Name: "cloudmailin-multipart", OneRecipient: true, BasicAuth: true, AttachmentURL: true, make: func(o Options) (payload.Format, error) { return cloudmailin.NewMultipart(o.Include), nil }},
		{Name: "mandrill", Raw: true, RawMember: "raw_msg", Secret: Key, SecretIs: webhookKey, OneRecipient: true, make: func(o Options) (payload.Format, error) { return mandrill.New(o.Include, o.Secret), nil }},
	}
}

// Names returns the names of the formats, the native one first.
func Names() []string {
	var names []string
	for _, k := range kinds() {
		names = append(names, k.Name)
	}
	return names
}

// Find returns the format of that name.
func Find(name string) (Kind, bool) {
	all := kinds()
	i := slices.IndexFunc(all, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return all[i], true
}

// New makes the format of that name. The error says what is wrong with the options and
// holds no secret.
func New(name string, o Options) (payload.Format, error) {
	k, ok := Find(name)
	if !ok {
		return nil, fmt.Errorf("unknown format %q", name)
	}
	if o.Include.Attachments == payload.Stored && !k.AttachmentURL || o.Include.Raw == payload.Stored && !k.RawURL {
		return nil, fmt.Errorf("format %s has no place for a URL", name)
	}
	f, err := k.make(o)
	if err != nil {
		return nil, fmt.Errorf("format %s: %w", name, err)
	}
	return f, nil
}
