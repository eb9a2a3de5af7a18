package tnef

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxGroups bounds how deep groups nest; deeper ones are read as part of that group.
const maxGroups = 500

// group is what the end of an RTF group brings back.
type group struct {
	skip    bool // a destination that is no text
	fonts   bool // the font table
	tag     bool // an htmltag
	noHTML  bool // between \htmlrtf and \htmlrtf0
	uc      int  // characters that stand in for a \u
	font    int
	starred bool // \* was seen and its control word was not
}

// rtf is a reader of RTF that keeps its text alone.
type rtf struct {
	b      []byte
	decode Decode
	limit  int

	group
	stack  []group
	beyond int // groups deeper than maxGroups

	html     bool // the RTF encapsulates HTML
	ansi     int  // code page
	pages    map[int]int
	out      strings.Builder
	run      []byte // octets that wait to be decoded
	runPage  int
	high     rune // first half of a surrogate pair
	standIns int  // characters still to be left out after a \u
}

// readRTF returns the text of an RTF body, or the HTML that it encapsulates
// (MS-OXRTFEX), with "\n" where a line ends. It stops after about limit octets.
func readRTF(b []byte, decode Decode, limit int) (text string, html bool) {
	r := &rtf{b: b, decode: decode, limit: limit, ansi: 1252, pages: make(map[int]int)}
	r.uc = 1
	for len(r.b) > 0 && r.out.Len() < limit {
		r.token()
	}
	r.flush()
	return r.out.String(), r.html
}

func (r *rtf) token() {
	c := r.b[0]
	r.b = r.b[1:]
	switch c {
	case '{':
		r.standIns = 0
		if len(r.stack) >= maxGroups {
			r.beyond++
			return
		}
		r.stack = append(r.stack, r.group)
	case '}':
		r.standIns = 0
		r.endGroup()
	case '\\':
		r.control()
	case '\r', '\n', 0:
	default:
		r.octet(c)
	}
}

func (r *rtf) endGroup() {
	switch {
	case r.beyond > 0:
		r.beyond--
	case len(r.stack) > 0:
		r.group = r.stack[len(r.stack)-1]
		r.stack = r.stack[:len(r.stack)-1]
	}
}

// control reads a control symbol or word.
func (r *rtf) control() {
	if len(r.b) == 0 {
		return
	}
	c := r.b[0]
	if !isLetter(c) {
		r.b = r.b[1:]
		r.symbol(c)
		return
	}
	k := 0
	for k < len(r.b) && isLetter(r.b[k]) {
		k++
	}
	word := string(r.b[:min(k, 32)])
	d := k
	if d < len(r.b) && r.b[d] == '-' {
		d++
	}
	for d < len(r.b) && r.b[d] >= '0' && r.b[d] <= '9' {
		d++
	}
	arg, err := strconv.Atoi(string(r.b[k:min(d, k+11)]))
	if d < len(r.b) && r.b[d] == ' ' {
		d++
	}
	r.b = r.b[d:]
	r.word(word, arg, err == nil)
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func (r *rtf) symbol(c byte) {
	switch c {
	case '\'':
		if len(r.b) < 2 {
			r.b = nil
			return
		}
		v, err := strconv.ParseUint(string(r.b[:2]), 16, 8)
		if err == nil {
			r.b = r.b[2:]
			r.octet(byte(v))
		}
	case '*':
		r.starred = true
	case '~':
		r.rune('\u00a0')
	case '_':
		r.rune('-')
	case '\r', '\n':
		r.rune('\n')
	case '-': // an optional hyphen
	default:
		r.octet(c)
	}
}

// destinations hold no text of the body.
var destinations = map[string]bool{
	"fonttbl": true, "colortbl": true, "stylesheet": true, "info": true, "pict": true, "object": true,
	"header": true, "headerl": true, "headerr": true, "headerf": true, "footer": true, "footerl": true,
	"footerr": true, "footerf": true, "listtable": true, "listoverridetable": true, "revtbl": true,
	"filetbl": true, "ftnsep": true, "ftnsepc": true, "fldinst": true, "themedata": true,
}

// characters are control words that stand for one.
var characters = map[string]rune{
	"par": '\n', "line": '\n', "sect": '\n', "page": '\n', "row": '\n', "tab": '\t', "cell": '\t',
	"lquote": '‘', "rquote": '’', "ldblquote": '“', "rdblquote": '”', "bullet": '•',
	"endash": '–', "emdash": '—', "emspace": '\u2003', "enspace": '\u2002',
}

func (r *rtf) word(word string, arg int, hasArg bool) {
	starred := r.starred
	r.starred = false
	if c, ok := characters[word]; ok {
		r.rune(c)
		return
	}
	switch word {
	case "fromhtml":
		r.html = r.html || arg == 1
	case "htmlrtf":
		r.noHTML = !hasArg || arg != 0
	case "htmltag":
		r.tag = starred
	case "ansicpg":
		r.ansi = arg
	case "uc":
		r.uc = min(max(arg, 0), 16)
	case "u":
		r.rune(rune(uint16(arg)))
		r.standIns = r.uc
	case "f":
		r.font = arg
	case "fcharset":
		if page, ok := charsetPages[arg]; ok && r.fonts && len(r.pages) < 1000 {
			r.pages[r.font] = page
		}
	case "plain":
		r.font = 0
	case "bin":
		r.b = r.b[min(max(arg, 0), len(r.b)):]
	case "fonttbl":
		r.fonts, r.skip = true, true
	default:
		r.skip = r.skip || starred || destinations[word]
	}
}

// charsetPages are the code pages of fonts' character sets.
var charsetPages = map[int]int{
	128: 932, 129: 949, 130: 1361, 134: 936, 136: 950, 161: 1253, 162: 1254, 163: 1258, 177: 1255,
	178: 1256, 186: 1257, 204: 1251, 222: 874, 238: 1250,
}

// shown tells whether a character that comes now is text.
func (r *rtf) shown() bool {
	if r.standIns > 0 {
		r.standIns--
		return false
	}
	return !r.skip && (!r.html || r.tag || !r.noHTML)
}

// octet is one of the code page.
func (r *rtf) octet(c byte) {
	if !r.shown() {
		return
	}
	page := r.ansi
	if p, ok := r.pages[r.font]; ok {
		page = p
	}
	if page != r.runPage {
		r.flush()
		r.runPage = page
	}
	r.run = append(r.run, c)
}

// rune is a character of Unicode; two may be a surrogate pair.
func (r *rtf) rune(c rune) {
	if !r.shown() {
		return
	}
	r.flushRun()
	if r.high != 0 {
		if pair := utf16.DecodeRune(r.high, c); pair != utf8.RuneError {
			r.high = 0
			r.out.WriteRune(pair)
			return
		}
		r.out.WriteRune(utf8.RuneError)
		r.high = 0
	}
	if utf16.IsSurrogate(c) {
		r.high = c
		return
	}
	r.out.WriteRune(c)
}

// flush writes what waits.
func (r *rtf) flush() {
	r.flushRun()
	if r.high != 0 {
		r.out.WriteRune(utf8.RuneError)
		r.high = 0
	}
}

func (r *rtf) flushRun() {
	if len(r.run) == 0 {
		return
	}
	if r.high != 0 {
		r.out.WriteRune(utf8.RuneError)
		r.high = 0
	}
	ascii := true
	for _, c := range r.run {
		ascii = ascii && c < utf8.RuneSelf
	}
	if ascii {
		r.out.Write(r.run)
	} else {
		r.out.WriteString(r.decode(r.run, r.runPage))
	}
	r.run = r.run[:0]
}
