package mailgun

import (
	"strings"

	"mxhook/sinks/payload"
)

// urlencoded is a form without files.
type urlencoded struct{ form payload.Form }

func (u *urlencoded) add(name, value string) {
	u.form.Add(strings.ToValidUTF8(name, "\uFFFD"), strings.ToValidUTF8(value, "\uFFFD"))
}

func (u *urlencoded) source(name string, src payload.Source) error {
	return u.form.AddSource(name, src)
}

// file is not called: a form with files is multipart.
func (u *urlencoded) file(string, string, string, payload.Source) {}

// multipart is a form with files.
type multipart struct{ *payload.Multipart }

func (m multipart) add(name, value string) { m.Field(name, strings.ToValidUTF8(value, "\uFFFD")) }

func (m multipart) source(name string, src payload.Source) error {
	m.FieldSource(name, "", src)
	return nil
}

func (m multipart) file(name, filename, contentType string, src payload.Source) {
	m.File(name, filename, contentType, src)
}
