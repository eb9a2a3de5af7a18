package message

// The codes of defects: a closed set.
const (
	DefectBareLF         = "bare-lf"
	DefectBareCR         = "bare-cr"
	DefectNUL            = "nul"
	DefectLongLine       = "long-line"
	DefectBOM            = "bom"
	DefectMboxFrom       = "mbox-from-line"
	DefectLeadingBlank   = "leading-blank-line"
	DefectNoHeader       = "no-header"
	DefectNoBlankLine    = "no-blank-line"
	DefectHeader         = "header-malformed"
	Defect8BitHeader     = "8bit-header"
	DefectEncodedWord    = "encoded-word-damaged"
	DefectDuplicateField = "duplicate-field"
	DefectMissingFrom    = "missing-from"
	DefectSeveralFrom    = "several-from"
	DefectAddress        = "address-malformed"
	DefectDate           = "date-malformed"
	DefectContentType    = "content-type-malformed"
	DefectEncoding       = "encoding-unknown"
	DefectBase64         = "base64-damaged"
	DefectQP             = "qp-damaged"
	DefectUU             = "uuencode-damaged"
	DefectNoBoundary     = "missing-boundary"
	DefectNoParts        = "multipart-without-parts"
	DefectUnclosed       = "boundary-unclosed"
	DefectCharsetUnknown = "charset-unknown"
	DefectCharsetGuessed = "charset-guessed"
	DefectCharsetWrong   = "charset-wrong"
	DefectInvalidUTF8    = "invalid-utf8"
	DefectHeaderLimit    = "limit-headers"
	DefectFieldLimit     = "limit-field"
	DefectDepthLimit     = "limit-depth"
	DefectPartsLimit     = "limit-parts"
	DefectParamLimit     = "limit-parameters"
	DefectBoundaryLimit  = "limit-boundary"
	DefectWordLimit      = "limit-encoded-words"
	DefectAddressLimit   = "limit-addresses"
	DefectFilenameLimit  = "limit-filename"
	DefectTextLimit      = "limit-text"
	DefectHTMLLimit      = "limit-html-to-text"
	DefectReport         = "report-malformed"
	DefectCalendar       = "calendar-malformed"
	DefectTNEF           = "tnef-malformed"
	DefectTNEFLimit      = "limit-tnef"
	DefectReportLimit    = "limit-report"
	DefectCalendarLimit  = "limit-calendar"
	DefectLimit          = "limit-defects"
	DefectRead           = "read-error"
	DefectInternal       = "internal"
	// DefectForgedResults is never found by Parse: who knows the authserv-id adds it.
	DefectForgedResults = "forged-authentication-results"
)

// DefectCode is one row of the table of defects.
type DefectCode struct{ Code, Meaning string }

// DefectCodes returns all codes with what each says about a message.
func DefectCodes() []DefectCode {
	return []DefectCode{
		{DefectBareLF, "a line ends in LF alone"},
		{DefectBareCR, "a CR that no LF follows"},
		{DefectNUL, "a NUL octet in the message"},
		{DefectLongLine, "a line longer than 998 octets"},
		{DefectBOM, "a byte order mark before the first field; skipped"},
		{DefectMboxFrom, "an mbox \"From \" line before the first field; skipped"},
		{DefectLeadingBlank, "blank lines before the first field; skipped"},
		{DefectNoHeader, "no header section: all of it is body"},
		{DefectNoBlankLine, "no blank line between header section and body"},
		{DefectHeader, "a line of the header section that is no field; left out"},
		{Defect8BitHeader, "8-bit octets in the header section of a message sent without SMTPUTF8; read as UTF-8 if most of it is, else as windows-1252"},
		{DefectEncodedWord, "an RFC 2047 word or RFC 2231 value whose charset or encoding is damaged"},
		{DefectDuplicateField, "a field that RFC 5322 3.6 allows once stands several times; the last counts, but all addresses are listed"},
		{DefectMissingFrom, "no From field, or none with an address"},
		{DefectSeveralFrom, "more than one From field; the addresses of all are listed"},
		{DefectAddress, "an address field that is not as RFC 5322 3.4 wants it; what could be seen is listed"},
		{DefectDate, "a Date that is no date"},
		{DefectContentType, "a Content-Type that can't be read; taken as text/plain"},
		{DefectEncoding, "an unknown Content-Transfer-Encoding; the octets are taken as they are"},
		{DefectBase64, "base64 with octets beyond its alphabet, or cut off; what could be read is kept"},
		{DefectQP, "quoted-printable with an '=' that encodes nothing; kept as it stands"},
		{DefectUU, "uuencoded lines that can't be read; left out"},
		{DefectNoBoundary, "a multipart without a boundary parameter; guessed from the body, else taken as text"},
		{DefectNoParts, "a multipart in which its boundary never appears; taken as text"},
		{DefectUnclosed, "a multipart without its closing boundary"},
		{DefectCharsetUnknown, "an unknown charset; read as UTF-8, the rest as U+FFFD"},
		{DefectCharsetGuessed, "text beyond ASCII without a charset; guessed from the octets"},
		{DefectCharsetWrong, "octets that the declared charset does not have"},
		{DefectInvalidUTF8, "octets that are no UTF-8 where it was declared; U+FFFD stands in their place"},
		{DefectHeaderLimit, "a header section beyond the limit of octets or fields; the rest is not listed"},
		{DefectFieldLimit, "a field longer than the limit; its value is cut"},
		{DefectDepthLimit, "multiparts nested too deep; the deepest is an attachment as a whole"},
		{DefectPartsLimit, "too many parts; the rest is not listed"},
		{DefectParamLimit, "too many parameters in one field; the rest is ignored"},
		{DefectBoundaryLimit, "a boundary longer than the limit; treated as missing"},
		{DefectWordLimit, "too many RFC 2047 words in one field; the rest is not decoded"},
		{DefectAddressLimit, "too many addresses or message ids in one field; the rest is not listed"},
		{DefectFilenameLimit, "a file name longer than the limit; cut before its extension"},
		{DefectTextLimit, "more text than the limit; the part is an attachment"},
		{DefectHTMLLimit, "HTML longer than the limit; only its beginning became text"},
		{DefectReport, "a delivery status or feedback report without the fields that it must have; what could be read is listed"},
		{DefectCalendar, "a calendar that is not as RFC 5545 wants it; what could be read is listed"},
		{DefectTNEF, "a winmail.dat that can't be opened, or not to its end; it is listed itself, after what could be read"},
		{DefectTNEFLimit, "a winmail.dat with more files, embedded messages or text than the limit; it is listed itself, after what was read"},
		{DefectReportLimit, "a report or calendar longer than the limit; only its beginning was read"},
		{DefectCalendarLimit, "more calendar entries than the limit; the rest is not listed"},
		{DefectLimit, "more defects than the limit; the rest is not listed"},
		{DefectRead, "the bytes could not be read to their end"},
		{DefectInternal, "a fault of mxhook; the message is listed as far as it was read"},
		{DefectForgedResults, "an Authentication-Results field that claims our name; removed"},
	}
}

// defect lists one defect; the same code is listed once a part.
func (p *parser) defect(part, code, text string) {
	key := part + " " + code
	if p.seen[key] {
		return
	}
	if part != "" && len(p.msg.Defects) >= p.lim.Defects {
		// Those of the message itself are of few kinds, and limits are among them.
		p.defect("", DefectLimit, "more defects than are listed")
		return
	}
	if p.seen == nil {
		p.seen = make(map[string]bool)
	}
	p.seen[key] = true
	p.msg.Defects = append(p.msg.Defects, Defect{Part: part, Code: code, Text: text})
}
