package message

import "strings"

// ParseAddresses reads an address list (RFC 5322 3.4) as it stands in a header
// field, unfolded or not. It never fails: it lists every address that it can see,
// flattens groups, decodes names, and keeps addresses as they are written. Its cost
// is linear. ok is false when the list was not well formed.
func ParseAddresses(s string) (list []Address, ok bool) {
	p := newParser(nil, 0, Options{SMTPUTF8: true})
	list = p.addresses(unfold(strings.ToValidUTF8(s, "\ufffd")), "")
	return list, len(p.msg.Defects) == 0
}

// addresses reads an unfolded address field.
func (p *parser) addresses(s, num string) []Address {
	// Octets of ISO-2022-JP look like brackets, quotes and commas.
	if text, ok := readJIS(s); ok {
		p.defect(num, DefectCharsetGuessed, "a field in ISO-2022-JP without encoded words")
		s = text
	}
	if p.phrase == nil {
		p.phrase = make([]token, 0, 8)
	}
	a := addressScanner{parser: p, s: s, num: num, words: wordScanner{s: s}, phrase: p.phrase}
	a.scan()
	p.phrase = a.phrase[:0] // the next field's words need as much memory
	if a.bad {
		p.defect(num, DefectAddress, "an address list that is not well formed")
	}
	return a.list
}

// addressScanner reads an address list from left to right. What belongs to the
// current mailbox is collected in phrase, angle and comment until a comma.
type addressScanner struct {
	*parser
	s, num string
	i      int
	words  wordScanner
	list   []Address
	bad    bool

	phrase  []token
	angle   string
	hasAddr bool   // there was an angle-addr
	comment string // the last one
	group   bool

	noQuotes, noComments bool // one was found unclosed: its sign is text
}

// token is a word outside angle brackets.
type token struct {
	raw    string // as written
	text   string // without quotes
	at     bool   // has an '@' outside quotes
	quoted bool
}

func (a *addressScanner) scan() {
	for a.i < len(a.s) {
		if len(a.list) >= a.lim.Addresses {
			a.defect(a.num, DefectAddressLimit, "too many addresses in a field")
			return
		}
		switch c := a.s[a.i]; c {
		case ' ', '\t':
			a.i++
		case ',', ';':
			if c == ';' && !a.group {
				a.bad = true
			}
			a.group = a.group && c != ';'
			a.i++
			a.flush()
		case '<':
			a.angleAddr()
		case '>', ')', ']':
			a.bad = true
			a.i++
		case ':':
			a.i++
			a.group = true
			a.dropName()
		case '(':
			a.readComment()
		default:
			a.word()
		}
	}
	if len(a.list) < a.lim.Addresses {
		a.flush()
	}
}

// dropName forgets the name of a group, but not an address before the colon.
func (a *addressScanner) dropName() {
	for _, t := range a.phrase {
		if t.at {
			a.bad = true
			a.flush()
			return
		}
	}
	a.phrase, a.comment = a.phrase[:0], ""
}

// readComment reads a comment, which may nest. An unclosed one is text.
func (a *addressScanner) readComment() {
	if a.noComments {
		a.i++
		return
	}
	var b strings.Builder
	depth := 0
	for i := a.i; i < len(a.s); i++ {
		switch c := a.s[i]; {
		case c == '\\' && i+1 < len(a.s):
			i++
			b.WriteByte(a.s[i])
			continue
		case c == '(':
			if depth++; depth == 1 {
				continue
			}
		case c == ')':
			if depth--; depth == 0 {
				a.i = i + 1
				a.comment = strings.Trim(b.String(), ` 	"`)
				return
			}
		}
		b.WriteByte(a.s[i])
	}
	a.noComments, a.bad = true, true
	a.i++
}

// angleAddr reads what stands between '<' and '>'. A '>' may be missing: a comma
// after an address, or another '<', ends it too.
func (a *addressScanner) angleAddr() {
	if a.hasAddr {
		a.bad = true
		a.flush()
	}
	start := a.i + 1
	i := start
	at, quoted := false, false
scan:
	for ; i < len(a.s); i++ {
		switch c := a.s[i]; {
		case quoted:
			if c == '\\' {
				i++
			} else if c == '"' {
				quoted = false
			}
		case c == '"' && !a.noQuotes:
			quoted = true
		case c == '@':
			at = true
		case c == '>':
			break scan
		case c == '<' || c == ',' && at && a.s[start] != '@':
			a.bad = true
			break scan
		}
	}
	if quoted {
		a.noQuotes, a.bad = true, true
		a.angleAddr()
		return
	}
	i = min(i, len(a.s))
	inner := strings.TrimSpace(a.s[start:i])
	if i < len(a.s) && a.s[i] == '>' {
		i++
	} else {
		a.bad = true
	}
	a.i = i
	if inner == "" && i < len(a.s) && a.s[i-1] != '>' {
		return // "<<"
	}
	a.angle, a.hasAddr = cleanAngle(inner), true
}

// word reads a word: atoms, quoted strings and domain literals without a blank
// between them. Blanks around an '@' do not end it, nor do comments inside an
// address.
func (a *addressScanner) word() {
	start := a.i
	if a.plainWord() {
		return
	}
	var raw, text strings.Builder
	at, quoted := false, false
loop:
	for a.i < len(a.s) {
		c := a.s[a.i]
		switch {
		case c == '"' && !a.noQuotes:
			if !a.quotedString(&text) {
				continue
			}
			quoted = true
			continue
		case c == '[' && at:
			end := strings.IndexAny(a.s[a.i:], "],<>")
			if end < 0 {
				end = len(a.s) - a.i - 1
			}
			text.WriteString(a.s[a.i : a.i+end+1])
			a.i += end + 1
			continue
		case c == '=' && a.encodedWord(&text):
			continue
		case c == ' ' || c == '\t' || c == '(':
			last := byte(0)
			if a.i > start {
				last = a.s[a.i-1]
			} else if raw.Len() > 0 {
				last = raw.String()[raw.Len()-1]
			}
			end, joins := a.joins(last, at)
			if !joins {
				break loop
			}
			raw.WriteString(a.s[start:a.i])
			start, a.i = end, end
			continue
		case strings.IndexByte(",;<>):", c) >= 0:
			break loop
		case c == '@':
			at = true
		case c == '"':
			a.i++
			continue
		}
		text.WriteByte(c)
		a.i++
	}
	if raw.Len() == 0 {
		a.phrase = append(a.phrase, token{raw: a.s[start:a.i], text: text.String(), at: at, quoted: quoted})
		return
	}
	raw.WriteString(a.s[start:a.i])
	a.phrase = append(a.phrase, token{raw: raw.String(), text: text.String(), at: at, quoted: quoted})
}

// plainWord reads a word that is one atom or encoded word, as most are, without copying
// it. It tells whether it did.
func (a *addressScanner) plainWord() bool {
	start := a.i
	end := strings.IndexAny(a.s[start:], " \t\"[=(,;<>):@")
	if end == 0 && a.s[start] == '=' {
		end = a.encodedEnd(start) - start
	}
	if end < 0 {
		end = len(a.s) - start
	}
	if a.i += end; end > 0 && a.i < len(a.s) {
		switch a.s[a.i] {
		case ' ', '\t':
			_, joins := a.joins(a.s[a.i-1], false)
			if joins {
				end = 0
			}
		case ',', ';', '<', '>', ')', ':':
		default:
			end = 0
		}
	}
	if end == 0 {
		a.i = start
		return false
	}
	a.phrase = append(a.phrase, token{raw: a.s[start:a.i], text: a.s[start:a.i]})
	return true
}

// joins tells whether the blanks and comments at a.i stand inside an address, beside
// its '@' or one of its dots, and where they end. last is the character before them,
// at says that there was an '@'.
func (a *addressScanner) joins(last byte, at bool) (end int, ok bool) {
	const maxBlanks = 8 // so that many words before many blanks take linear time
	comments, blanks := false, 0
	j := a.i
	for j < len(a.s) && (last == '@' || blanks <= maxBlanks) {
		if c := a.s[j]; c == ' ' || c == '\t' {
			j++
			blanks++
			continue
		} else if c != '(' || a.noComments {
			break
		}
		end := a.commentEnd(j)
		if end < 0 {
			break // readComment tells
		}
		j, comments = end, true
	}
	if j == a.i {
		return 0, false
	}
	next := byte(0)
	if j < len(a.s) {
		next = a.s[j]
	}
	switch {
	case last == '@' || next == '@':
		return j, true
	case !comments:
		return 0, false
	}
	insideDot := next == '.' && j+1 < len(a.s) && strings.IndexByte(" \t,;<>()", a.s[j+1]) < 0
	return j, last == '.' && at || insideDot
}

// commentEnd returns where the comment that begins at i ends, -1 if it is not closed.
func (a *addressScanner) commentEnd(i int) int {
	for depth := 0; i < len(a.s); i++ {
		switch a.s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}

// quotedString adds the quoted string at a.i to text. An unclosed one is text.
func (a *addressScanner) quotedString(text *strings.Builder) bool {
	var b strings.Builder
	for i := a.i + 1; i < len(a.s); i++ {
		switch c := a.s[i]; {
		case c == '\\' && i+1 < len(a.s):
			i++
			b.WriteByte(a.s[i])
		case c == '"':
			text.WriteString(b.String())
			a.i = i + 1
			return true
		default:
			b.WriteByte(c)
		}
	}
	a.noQuotes, a.bad = true, true
	return false
}

// encodedWord adds the encoded word at a.i to text as it stands, even if it holds
// commas or blanks as no encoded word should.
func (a *addressScanner) encodedWord(text *strings.Builder) bool {
	end := a.encodedEnd(a.i)
	if end == a.i {
		return false
	}
	text.WriteString(a.s[a.i:end])
	a.i = end
	return true
}

// encodedEnd returns where the encoded word that begins at i ends, i if there is none.
func (a *addressScanner) encodedEnd(i int) int {
	w, ok := a.words.at(i)
	if !ok || len(w.text) > 1000 || strings.ContainsAny(w.text, "<>\"") {
		return i
	}
	return w.next
}

// flush ends the current mailbox.
func (a *addressScanner) flush() {
	phrase, angle, hasAddr, comment := a.phrase, a.angle, a.hasAddr, a.comment
	a.phrase, a.angle, a.hasAddr, a.comment = a.phrase[:0], "", false, ""
	if hasAddr {
		// An address in the phrase is a name that looks like one.
		name := a.name(phrase)
		if name == "" {
			name = a.decodeWords(comment, a.num)
		}
		a.add(name, angle)
		return
	}
	var before []token
	found := false
	for _, t := range phrase {
		if !t.at {
			before = append(before, t)
			continue
		}
		found = true
		name := a.name(before)
		a.bad = a.bad || len(before) > 0
		before = nil
		if name == "" {
			name = a.decodeWords(comment, a.num)
		}
		address := t.raw // a quoted local part keeps its quotes
		if !t.quoted {
			address = withoutBlanks(t.text)
		}
		a.add(name, neutral(strings.TrimSpace(address)))
	}
	switch {
	case found || len(phrase) == 0:
	case len(phrase) == 1 && !phrase[0].quoted && !strings.Contains(phrase[0].raw, "=?"):
		a.bad = true
		a.add(a.decodeWords(comment, a.num), neutral(phrase[0].raw))
	default:
		// What only quotes or encoded words hold is text to be shown, and no address,
		// whatever it looks like.
		a.bad = true
		a.add(a.name(phrase), "")
	}
}

func (a *addressScanner) add(name, address string) {
	if name == "" && address == "" {
		return
	}
	a.bad = a.bad || address != "" && !isAddrSpec(address)
	if len(a.list) < a.lim.Addresses {
		a.list = append(a.list, Address{Name: name, Address: address})
	}
}

// name joins the words of a phrase and decodes it.
func (a *addressScanner) name(words []token) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return strings.TrimSpace(a.decodeWords(words[0].text, a.num))
	}
	texts := make([]string, len(words))
	for i, t := range words {
		texts[i] = t.text
	}
	return strings.TrimSpace(a.decodeWords(strings.Join(texts, " "), a.num))
}
