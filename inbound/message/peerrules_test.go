package message

import (
	"bytes"
	"slices"
	"strings"
)

// peerRule is a kind of difference, and why ours is right.
type peerRule struct {
	why    string
	fields string // which, blank-separated
	match  func(d *difference) bool
}

func (r *peerRule) explains(d *difference) bool {
	return slices.Contains(strings.Fields(r.fields), d.field) && r.match(d)
}

// defect matches messages in which that was found and repaired.
func defect(codes ...string) func(d *difference) bool {
	return func(d *difference) bool {
		return slices.ContainsFunc(codes, func(c string) bool { return hasDefect(d.m, c) })
	}
}

// holds matches messages that hold one of the strings, whatever its case.
func holds(words ...string) func(d *difference) bool {
	return func(d *difference) bool {
		raw := bytes.ToLower(d.raw)
		return slices.ContainsFunc(words, func(w string) bool { return bytes.Contains(raw, []byte(w)) })
	}
}

// blanks matches values that only differ in blanks.
func blanks(d *difference) bool {
	squeeze := func(s string) string {
		return strings.Join(strings.Fields(strings.NewReplacer(`\t`, " ", `\n`, " ", `\r`, " ").Replace(s)), "")
	}
	return squeeze(d.ours) == squeeze(d.theirs)
}

// in matches the files of those names.
func in(names ...string) func(d *difference) bool {
	return func(d *difference) bool { return slices.Contains(names, d.file) }
}

// both matches what a and b match.
func both(a, b func(d *difference) bool) func(d *difference) bool {
	return func(d *difference) bool { return a(d) && b(d) }
}

// replaced matches where the other gave up on octets.
func replaced(d *difference) bool {
	return strings.Contains(d.theirs, "\ufffd") || strings.Contains(d.theirs, "ï¿½")
}

// firstOnly matches where the other has the first of our addresses alone.
func firstOnly(d *difference) bool {
	return strings.HasPrefix(d.ours, strings.TrimSuffix(d.theirs, "]")+" [")
}

func anything(*difference) bool { return true }

// utf8Undeclared matches text parts that say nothing of a charset, or US-ASCII, and are UTF-8.
func utf8Undeclared(d *difference) bool { return !isASCII(d.raw) && !isASCII(d.ours) }

var pythonRules = []peerRule{
	{"of a field that stands twice the last counts, which a signature covers", "subject type parts text html octets name", defect(DefectDuplicateField)},
	{"it raises an exception (unknown charsets, line ends in addresses)", "error", anything},
	{"blanks at folds and ends, line ends in names", "subject name from to text", blanks},
	{"the header section goes on after a byte order mark, a line that is no field, a blank first line", "text subject from to",
		defect(DefectBOM, DefectHeader, DefectLeadingBlank)},
	{"a multipart that has no parts, or no boundary, is text", "type parts text", defect(DefectNoBoundary, DefectNoParts, DefectBoundaryLimit)},
	{"limits hold", "type parts name subject", defect(DefectDepthLimit, DefectPartsLimit, DefectFilenameLimit, DefectWordLimit, DefectFieldLimit)},
	{"8-bit octets in a header section are read", "from to", replaced},
	{"addresses that are malformed are read as far as they go", "from to", defect(DefectAddress)},
	{"octets that their charset does not have, or that have none, are guessed", "text subject name", defect(DefectCharsetGuessed, Defect8BitHeader, DefectCharsetWrong)},
	{"UTF-8 is known without being declared", "text", utf8Undeclared},
	{"GB2312 is read as the larger set that senders mean", "text", holds("gb2312")},
	{"damaged base64 is decoded as far as it goes", "text octets", defect(DefectBase64)},
	{"a soft line break may be followed by blanks (RFC 2045 6.7), which end no line", "text", defect(DefectQP)},
	{"after a Content-Type that breaks the grammar the type itself counts", "type", both(holds("content-type: application/pdf"), func(d *difference) bool { return strings.HasPrefix(d.theirs, d.ours+" ") })},
	{"a backslash in a name is part of a path", "name", func(d *difference) bool { return strings.Contains(d.ours, `\`) }},
	{"parameters with gaps or without quotes, names with control characters: all that was meant", "name",
		in("broken-rfc2231-gaps.eml", "filename-unquoted-spaces.eml", "filename-control-characters.eml", "issue133")},
	{"several From or To fields: the addresses of all; two without a comma are two", "from to", in("raw_email_multiple_from.eml", "malformed-multiple-address-header-values.raw")},
	{"a comment after an address is its name", "from to", both(holds("("), func(d *difference) bool { return strings.Contains(d.theirs, `["" "`) })},
	{"bare boundaries: an outer boundary ends the inner multipart; equal boundaries are the innermost's", "parts type text", in("013.eml", "msg_15.txt", "msg_38.txt", "raw_email_with_binary_encoded.eml", "005.eml")},
	{"the boundary parameter counts although the semicolon before it is missing", "type", in("017.eml")},
	{"the part's own Content-Type is read after a line that is no field", "parts", in("raw_email_bad_time.eml")},
	{"the encoded words are decoded (JIS X 0208 has Cyrillic letters)", "subject", in("issue116")},
}

var postalRules = []peerRule{
	{"of a field that stands twice the last counts, which a signature covers", "subject type parts text html octets name", defect(DefectDuplicateField)},
	{"blanks at folds and ends, blank lines between joined texts", "subject name from to text html", blanks},
	{"a nested message is an attachment; there its text is part of the text, its attachments are listed, and it has no name", "text html parts name type octets", func(d *difference) bool {
		return slices.ContainsFunc(d.m.Attachments, func(a Attachment) bool { return strings.HasPrefix(a.ContentType, "message/") })
	}},
	{"winmail.dat is opened", "html text parts", holds("ms-tnef")},
	{"limits hold", "type parts text name subject", defect(DefectDepthLimit, DefectPartsLimit, DefectFilenameLimit, DefectWordLimit, DefectFieldLimit)},
	{"8-bit octets in a header section, and encoded words with such, are read", "from to", replaced},
	{"all authors; there the first", "from", firstOnly},
	{"a multipart that has no parts, or no boundary, is text", "parts text", defect(DefectNoBoundary, DefectNoParts, DefectBoundaryLimit)},
	{"the header section goes on after a byte order mark or a blank first line, and ends without one", "text subject from to", defect(DefectBOM, DefectLeadingBlank, DefectNoHeader, DefectNoBlankLine)},
	{"octets that their charset does not have, or that have none, are guessed", "text html subject name", defect(DefectCharsetGuessed, Defect8BitHeader)},
	{"octets of an unknown charset stay unknown", "text", defect(DefectCharsetUnknown)},
	{"UTF-7 is read", "text subject to", holds("utf-7")},
	{"ISO-8859-1 is read as windows-1252, which senders mean", "subject text", in("charset-windows-1252-quotes.eml", "attachment_pdf_non_ascii.eml")},
	{"uuencode is decoded", "octets", holds("begin 6")},
	{"what follows the padding of base64 is not decoded", "text", defect(DefectBase64)},
	{"a soft line break may be followed by blanks (RFC 2045 6.7), which end no line", "text", defect(DefectQP)},
	{"a Content-Type that can't be read, or has no subtype, is text/plain (RFC 2045 5.2)", "text parts type", func(d *difference) bool {
		return hasDefect(d.m, DefectContentType) || d.file == "broken-content-type-text.eml"
	}},
	{"after a Content-Type that breaks the grammar the type itself counts", "type", both(holds("content-type: application/pdf"), func(d *difference) bool { return strings.HasPrefix(d.theirs, d.ours+" ") })},
	{"a backslash in a name is part of a path", "name", func(d *difference) bool { return strings.Contains(d.ours, `\`) }},
	{"parameters with gaps, names with control characters: nothing that can be misread", "name", in("broken-rfc2231-gaps.eml", "filename-control-characters.eml")},
	{"line ends and other control characters that encoded words hide are taken out", "subject from", in("injection-encoded-line-ends.eml")},
	{"a text part with a name that is not the first is an attachment, and the footer that follows HTML is no HTML", "text html parts", holds("filename=", "name=", "news mailing list")},
	{"several From or To fields: the addresses of all; two without a comma are two", "from to", func(d *difference) bool {
		return hasDefect(d.m, DefectSeveralFrom) || hasDefect(d.m, DefectDuplicateField) || d.file == "raw_email_multiple_from.eml"
	}},
	{"a comment alone is no address", "to", in("delivery-status-no-blank-line.txt")},
	{"an addr-spec without a domain is an address that is malformed, and a list that is malformed is read as far as it goes", "from to", defect(DefectAddress)},
	{"encoded words are decoded one by one, also where the encoding of one is damaged or a character is spread over two", "subject from", defect(DefectEncodedWord)},
	{"a display name that is the address stays", "from to", func(d *difference) bool { return strings.Contains(d.theirs, `["" "`) }},
	{"an outer boundary ends the inner multipart", "text html", in("008.eml")},
	{"octets beyond US-ASCII are read as UTF-8 where they are it", "text", defect(DefectCharsetWrong)},
	{"nothing is made of multiparts without content", "html", in("msg_08.txt", "msg_09.txt")},
}
