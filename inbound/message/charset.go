package message

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/jhillyerd/enmime/v2"
	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// charsetKind says how octets of a charset are read.
type charsetKind int

const (
	charsetUnknown charsetKind = iota
	charsetNone                // not declared
	charsetASCII
	charsetUTF8
	charsetUTF7
	charsetTable // by an encoding of golang.org/x/text
)

// aliases are names that mail uses and the registries lack, or that are better
// read as the larger set that their senders mean.
var aliases = map[string]encoding.Encoding{
	"gb2312":                simplifiedchinese.GB18030,
	"gb_2312-80":            simplifiedchinese.GB18030,
	"gbk":                   simplifiedchinese.GB18030,
	"cp936":                 simplifiedchinese.GB18030,
	"ms936":                 simplifiedchinese.GB18030,
	"x-gbk":                 simplifiedchinese.GB18030,
	"hz-gb-2312":            simplifiedchinese.HZGB2312,
	"cp932":                 japanese.ShiftJIS,
	"iso-2022-jp-ms":        japanese.ISO2022JP,
	"iso-2022-jp-1":         japanese.ISO2022JP,
	"iso-2022-jp-2":         japanese.ISO2022JP,
	"cp50220":               japanese.ISO2022JP,
	"cp50221":               japanese.ISO2022JP,
	"utf-16":                unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
	"utf16":                 unicode.UTF16(unicode.BigEndian, unicode.UseBOM),
	"utf-32":                utf32.UTF32(utf32.BigEndian, utf32.UseBOM),
	"utf-32le":              utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM),
	"utf-32be":              utf32.UTF32(utf32.BigEndian, utf32.IgnoreBOM),
	"cp850":                 charmap.CodePage850,
	"cp437":                 charmap.CodePage437,
	"cp858":                 charmap.CodePage858,
	"iso-8859-8-e":          charmap.ISO8859_8,
	"ansi":                  charmap.Windows1252,
	"x-mac-ce":              macTable(macCentralEurope),
	"x-mac-centraleurroman": macTable(macCentralEurope),
	"x-mac-greek":           macTable(macGreek),
	"x-mac-turkish":         macTable(macTurkish),
	"x-mac-croatian":        macTable(macCroatian),
	"x-mac-romanian":        macTable(macRomanian),
	"x-mac-icelandic":       macTable(macIcelandic),
	"iso-8859-11":           charmap.Windows874,
	"windows-31j":           japanese.ShiftJIS,
	"iso8859_1":             charmap.Windows1252,
	"x-user-defined":        charmap.XUserDefined,
}

// lookupCharset returns how to read a charset by the name that a message gives it.
func lookupCharset(name string) (charsetKind, encoding.Encoding) {
	name = strings.ToLower(strings.Trim(name, " \t\"'<>;"))
	name = strings.TrimPrefix(name, "charset=")
	name = strings.Trim(name, `"'`)
	switch name {
	case "":
		return charsetNone, nil
	case "us-ascii", "ascii", "ansi_x3.4-1968", "iso646-us", "us", "cp367", "646":
		return charsetASCII, nil
	case "utf-8", "utf8", "unicode-1-1-utf-8", "utf-8n", "utf8mb4", "x-utf-8":
		return charsetUTF8, nil
	case "utf-7", "utf7", "unicode-1-1-utf-7", "x-unicode-2-0-utf-7":
		return charsetUTF7, nil
	}
	if e := aliases[name]; e != nil {
		return charsetTable, e
	}
	if e, err := htmlindex.Get(name); err == nil && e != encoding.Replacement {
		return charsetTable, e
	}
	for _, index := range []*ianaindex.Index{ianaindex.MIME, ianaindex.IANA} {
		if e, err := index.Encoding(name); err == nil && e != nil && e != encoding.Replacement {
			return charsetTable, e
		}
	}
	return charsetUnknown, nil
}

// decodeCharset returns b as valid UTF-8 and a defect's code, "" if all was well.
func decodeCharset(b []byte, name string) (text, defect string) {
	kind, enc := lookupCharset(name)
	switch kind {
	case charsetTable:
		out, err := enc.NewDecoder().Bytes(b)
		text = validUTF8(out)
		if err != nil || strings.ContainsRune(text, utf8.RuneError) {
			defect = DefectCharsetWrong
		}
		return strings.TrimPrefix(text, "\ufeff"), defect
	case charsetUTF7:
		text, ok := decodeUTF7(b)
		if !ok {
			defect = DefectCharsetWrong
		}
		return text, defect
	}
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	valid := utf8.Valid(b)
	switch {
	case kind == charsetUnknown:
		return validUTF8(b), DefectCharsetUnknown
	case kind == charsetASCII && !isASCII(b):
		if !valid {
			b, _ = charmap.Windows1252.NewDecoder().Bytes(b)
		}
		return validUTF8(b), DefectCharsetWrong
	case !valid:
		return validUTF8(b), DefectInvalidUTF8
	}
	return string(b), ""
}

// bodyText returns the text of a text part whose transfer encoding is undone.
// What declares no charset, or US-ASCII, and is not UTF-8 is guessed: HTML from its meta element,
// text from a sample of its octets.
func (p *parser) bodyText(b []byte, charsetName, num string, html bool) string {
	kind, _ := lookupCharset(charsetName)
	if kind == charsetNone || kind == charsetASCII {
		const how = "no charset is declared, or US-ASCII; read as "
		if text, ok := bodyJIS(b); ok {
			p.defect(num, DefectCharsetGuessed, how+"iso-2022-jp")
			return text
		}
		if !utf8.Valid(b) {
			charsetName = p.guess(b, html)
			p.defect(num, DefectCharsetGuessed, how+charsetName)
		}
	}
	text, defect := decodeCharset(b, charsetName)
	if defect != "" {
		p.defect(num, defect, "charset "+quoteShort(charsetName))
	}
	return text
}

// sampleSize bounds what is given to the guess, which costs a quarter of a
// microsecond an octet.
const sampleSize = 4 << 10

// maxGuesses bounds the guesses for one message, each of which costs a millisecond or two.
const maxGuesses = 8

// guess returns the charset of a part's text. Beyond the limit it is that of the part before.
func (p *parser) guess(b []byte, html bool) string {
	if p.guesses < maxGuesses {
		p.guesses++
		p.guessed = guessCharset(b, html)
	}
	return p.guessed
}

func guessCharset(b []byte, html bool) string {
	if bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")) {
		return "utf-16"
	}
	sample := b[:min(len(b), sampleSize)]
	if html {
		if _, name, _ := charset.DetermineEncoding(sample[:min(len(sample), 1024)], "text/html"); name != "utf-8" {
			return name
		}
	}
	head := "Content-Type: text/plain\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
	part, err := enmime.ReadParts(strings.NewReader(head + string(sample)))
	if err == nil && part != nil && part.Charset != "" {
		if kind, _ := lookupCharset(part.Charset); kind == charsetTable {
			return strings.ToLower(part.Charset)
		}
	}
	return "windows-1252"
}

func validUTF8(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	return strings.ToValidUTF8(string(b), "\ufffd")
}

func isASCII[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// quoteShort makes what a sender wrote fit for a defect's text.
func quoteShort(s string) string {
	if len(s) > 40 {
		s = strings.ToValidUTF8(s[:40], "") + "…"
	}
	return `"` + strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '\ufffd'
		}
		return r
	}, s) + `"`
}
