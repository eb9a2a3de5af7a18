package message

// Options are what Parse is told besides the bytes. The zero Options are good.
type Options struct {
	// SMTPUTF8 tells that the message was sent with the SMTPUTF8 parameter
	// (RFC 6531), so that UTF-8 in its header section is no defect.
	SMTPUTF8 bool
	// NullReversePath tells that the envelope's reverse-path is null (RFC 5321 4.5.5), as
	// that of bounces and automatic replies is. It is one of the signs that Parse weighs.
	NullReversePath bool
	// Limits bound the work; a field that is 0 has its default.
	Limits Limits
}

// Limits bound what a message can make Parse do. None makes a message fail: what
// lies beyond is left out, or becomes an attachment, and a Defect says so.
type Limits struct {
	HeaderBytes  int // octets kept of one header section, 512 KiB
	Fields       int // fields kept of one header section, 2000
	FieldBytes   int // octets kept of one field, 100 KiB
	Depth        int // nested multiparts, 50; a deeper one is an attachment as a whole
	Parts        int // parts of all kinds, 1000
	Parameters   int // parameters of one field, 100, and RFC 2231 segments among them
	Boundary     int // octets of a boundary, 200
	EncodedWords int // RFC 2047 words decoded in one field, 500
	Addresses    int // mailboxes, or message ids, of one field, 2000
	Filename     int // octets of a file name, 255
	Text         int // octets of text, and as many of HTML, 8 MiB; a part beyond is an attachment
	HTMLToText   int // octets of HTML that are turned into text, 256 KiB
	Report       int // octets read of each part that a report or a calendar has for machines, and of a notification's text, 256 KiB
	Events       int // calendar entries, 100
	Defects      int // defects listed, 100, and one of each kind of the message itself beyond them
}

// withDefaults fills what is not set.
func (l Limits) withDefaults() Limits {
	set := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	set(&l.HeaderBytes, 512<<10)
	set(&l.Fields, 2000)
	set(&l.FieldBytes, 100<<10)
	set(&l.Depth, 50)
	set(&l.Parts, 1000)
	set(&l.Parameters, 100)
	set(&l.Boundary, 200)
	set(&l.EncodedWords, 500)
	set(&l.Addresses, 2000)
	set(&l.Filename, 255)
	set(&l.Text, 8<<20)
	set(&l.HTMLToText, 256<<10)
	set(&l.Report, 256<<10)
	set(&l.Events, 100)
	set(&l.Defects, 100)
	return l
}
