package smtpd

import (
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"mxhook/inbound/status"
)

// scripted is a peer that sends what it has in pieces and then closes.
type scripted struct {
	in     string
	piece  int
	out    strings.Builder
	closed chan struct{}
	once   bool
}

func (c *scripted) Read(p []byte) (int, error) {
	if c.in == "" {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), max(1, c.piece))], c.in)
	c.in = c.in[n:]
	return n, nil
}

func (c *scripted) Write(p []byte) (int, error) { return c.out.Write(p) }

func (c *scripted) Close() error {
	if !c.once {
		c.once = true
		close(c.closed)
	}
	return nil
}
func (c *scripted) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (c *scripted) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (c *scripted) SetDeadline(time.Time) error      { return nil }
func (c *scripted) SetReadDeadline(time.Time) error  { return nil }
func (c *scripted) SetWriteDeadline(time.Time) error { return nil }

// talk lets a scripted peer talk to p, and returns what was said and the messages that
// were delivered.
func (p *piped) talk(in string, piece int) (said string, delivered []string) {
	p.h.mu.Lock()
	p.h.messages, p.h.mails, p.h.sessions, p.h.rcpts, p.h.refs = nil, nil, nil, nil, nil
	p.h.mu.Unlock()
	c := &scripted{in: in, piece: piece, closed: make(chan struct{})}
	p.ln.ch <- c
	<-c.closed
	p.h.mu.Lock()
	defer p.h.mu.Unlock()
	return c.out.String(), p.h.messages
}

func smallLimits(c *Config) {
	c.Limits = Limits{MessageSize: 40, Recipients: 3, Errors: 5}
	c.TLS = nil
}

var (
	replyLine = regexp.MustCompile(`^[2-5][0-9][0-9][ -][ -~]*$`)
	coded     = regexp.MustCompile(`^([245])[0-9][0-9] ([245])\.[0-9]+\.[0-9]+ .`)
	uncoded   = regexp.MustCompile(`^(220 mx.test ESMTP|250[ -](mx.test|PIPELINING|SIZE|8BITMIME|ENHANCED|CHUNKING|BINARYMIME|SMTPUTF8|LIMITS)|354 )`)
)

// FuzzSessionBytes sends any octets: replies stay well-formed, there are no more of them
// than lines, and each 250 for a message is a message that the Handler took.
func FuzzSessionBytes(f *testing.F) {
	for _, s := range []string{
		opening + "x\r\n.\r\nQUIT\r\n", opening + "x\n.\r\n" + smuggled, strings.Replace(opening, "DATA", "BDAT 3", 1) + "abcBDAT 2 LAST\r\nde",
		"EHLO a\nMAIL FROM:<>\r\n", "BDAT 5\r\nNOOP\r\nNOOP\r\n", "EHLO [::1]\r\nmail from:<\"a>\"@b> SIZE=1 BODY=7BIT SMTPUTF8\r\nRCPT TO:<postmaster>\r\nDATA\r\n.\r\n",
	} {
		f.Add(s, uint8(200))
	}
	p, stop := startPiped(f, smallLimits)
	defer stop()
	f.Fuzz(func(t *testing.T, in string, piece uint8) {
		said, delivered := p.talk(in, int(piece))
		replies, finals := 0, 0
		for line := range strings.Lines(said) {
			line, ok := strings.CutSuffix(line, "\r\n")
			if !ok || !replyLine.MatchString(line) {
				t.Fatalf("said %q", line)
			}
			if m := coded.FindStringSubmatch(line); !uncoded.MatchString(line) && (m == nil || m[1] != m[2]) {
				t.Fatalf("said %q", line)
			}
			if line[3] == ' ' {
				replies++
			}
			if line == "250 2.0.0 msg_test" {
				finals++
			}
		}
		if most := strings.Count(in, "\n") + 2; replies > most {
			t.Fatalf("%d replies, at most %d are due: %q", replies, most, said)
		}
		if finals != len(delivered) {
			t.Fatalf("%d replies for %d messages: %q", finals, len(delivered), said)
		}
	})
}

// model is what a session must do, written down a second time and simply: it makes the
// client's octets and the reply codes that they must get.
type model struct {
	lmtp           bool
	in             strings.Builder
	want           []string
	messages       []string
	helo, mail     bool
	tried, taken   int
	chunks, failed bool
	body           string
	errs           int
	closed         bool
}

func (m *model) reply(code string) {
	if code[0] == '5' && code != "521" {
		if m.errs++; m.errs > 5 {
			code = "421"
		}
	}
	m.want = append(m.want, code)
	m.closed = code == "421" || code == "521" || code == "221"
}

// final is the reply to a message, or to each recipient: never replaced.
func (m *model) final(code string, closes, whole bool) {
	if code[0] == '5' {
		m.errs++
	}
	m.want = append(m.want, code)
	for i := 1; i < m.taken && m.lmtp && whole; i++ {
		m.want = append(m.want, code)
	}
	m.closed = closes
	m.reset()
}

func (m *model) reset() {
	m.mail, m.tried, m.taken, m.chunks, m.failed, m.body = false, 0, 0, false, false, ""
}

func (m *model) nobody() string {
	switch {
	case m.tried == 0:
		return "503"
	case m.taken == 0 && m.lmtp:
		return "503"
	case m.taken == 0:
		return "554"
	}
	return ""
}

func (m *model) step(op, arg byte) {
	line := [...]string{
		"EHLO a.test", "MAIL FROM:<>", "RCPT TO:<b@mx.test>", "RCPT TO:<unknown@mx.test>", "NOOP", "RSET", "DATA", "", "", "NOPE", "VRFY x",
		"BDAT 1 2 3", "MAIL FROM:<> SIZE=41", "QUIT", "HELO a.test",
	}[op]
	if m.lmtp && op == 0 {
		line = "LHLO a.test"
	}
	if line != "" {
		m.in.WriteString(line + "\r\n")
	}
	inChunks := m.chunks && op != 0 && op != 4 && op != 5 && op != 14
	switch {
	case op == 7 || op == 8:
		m.chunk(int(arg), op == 8)
	case op == 9 || op == 14 && m.lmtp:
		m.reply("500")
	case op == 10:
		m.reply("252")
	case op == 11:
		m.reply("521")
	case op == 13:
		m.reply("221")
	case inChunks:
		m.reply("503")
	case op == 0 || op == 14:
		m.helo = true
		m.reset()
		m.reply("250")
	case op == 1 || op == 12:
		switch {
		case !m.helo || m.mail:
			m.reply("503")
		case op == 12:
			m.reply("552")
		default:
			m.mail = true
			m.reply("250")
		}
	case op == 2 || op == 3:
		m.recipient(op == 2)
	case op == 4:
		m.reply("250")
	case op == 5:
		m.reset()
		m.reply("250")
	case op == 6:
		m.data(int(arg))
	}
}

func (m *model) recipient(known bool) {
	if !m.mail {
		m.reply("503")
		return
	}
	m.tried++
	switch {
	case m.taken >= 3:
		m.reply("452")
	case known:
		m.taken++
		m.reply("250")
	default:
		m.reply("550")
	}
}

func (m *model) data(size int) {
	if code := m.nobody(); code != "" {
		m.reply(code)
		return
	}
	m.reply("354")
	body := strings.Repeat("RSET\r\n.BDAT 9\r\n", 20)[:size]
	body = strings.TrimSuffix(body, "\r") + "\r\n"
	m.in.WriteString(stuff(body) + ".\r\n")
	m.end(body, true)
}

func (m *model) end(body string, whole bool) {
	switch {
	case len(body) > 60:
		m.final("552", true, whole)
	case len(body) > 40:
		m.final("552", false, whole)
	default:
		m.messages = append(m.messages, body)
		m.final("250", false, whole)
	}
}

func (m *model) chunk(size int, last bool) {
	chunk := strings.Repeat("NOOP\r\n.\r\nQUIT\r\n", 20)[:size]
	m.in.WriteString(fmt.Sprintf("BDAT %d%s\r\n%s", size, map[bool]string{true: " LAST"}[last], chunk))
	if code := m.nobody(); code != "" && !m.chunks {
		m.reply(code)
		m.closed = m.closed || size > 60
		return
	}
	m.chunks = true
	m.body += chunk
	switch {
	case last || len(m.body) > 60:
		m.end(m.body, last)
	case len(m.body) > 40:
		m.reply("552")
	default:
		m.reply("250")
	}
}

// FuzzSessionModel compares sessions of well-formed commands in any order with the
// model: one reply for each command, and only whole messages delivered.
func FuzzSessionModel(f *testing.F) {
	f.Add([]byte{0, 0, 1, 0, 2, 0, 6, 20, 1, 0, 2, 0, 7, 10, 8, 10, 13, 0}, uint8(50), false)
	f.Add([]byte{0, 0, 1, 0, 3, 0, 8, 9, 2, 0, 7, 30, 4, 0, 1, 0, 7, 20, 7, 0, 8, 1, 7, 3}, uint8(1), false)
	f.Add([]byte{0, 0, 1, 0, 2, 0, 7, 50, 7, 11, 4, 0}, uint8(7), false)
	f.Add([]byte{9, 0, 9, 0, 9, 0, 0, 0, 1, 0, 2, 0, 6, 50, 9, 0, 9, 0}, uint8(255), false)
	f.Add([]byte{14, 0, 0, 0, 1, 0, 2, 0, 2, 0, 6, 20, 1, 0, 3, 0, 6, 0, 2, 0, 2, 0, 7, 50, 14, 0, 8, 0}, uint8(200), true)
	smtp, stop := startPiped(f, smallLimits)
	defer stop()
	lmtp, stop := startPiped(f, func(c *Config) { smallLimits(c); c.LMTP = true })
	defer stop()
	f.Fuzz(func(t *testing.T, ops []byte, piece uint8, isLMTP bool) {
		p, m := smtp, &model{lmtp: isLMTP, want: []string{"220"}}
		if isLMTP {
			p = lmtp
		}
		for i := 0; i+1 < len(ops) && !m.closed && i < 200; i += 2 {
			m.step(ops[i]%15, ops[i+1])
		}
		said, delivered := p.talk(m.in.String(), int(piece))
		var got []string
		for line := range strings.Lines(said) {
			if line[3] == ' ' {
				got = append(got, line[:3])
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(m.want) || fmt.Sprintf("%q", delivered) != fmt.Sprintf("%q", m.messages) {
			t.Fatalf("sent %q\nsaid %q\n got %v %q\nwant %v %q", m.in.String(), said, got, delivered, m.want, m.messages)
		}
	})
}

// FuzzParse checks that a command is understood or has a fault, that a path survives
// being written and read again, and that no chunk is negative.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"EHLO a", "MAIL FROM:<a@b> SIZE=1 BODY=7BIT", `RCPT TO:<"a\"b"@[IPv6:::1]>`, "BDAT 4294967296 LAST", "rcpt to:<postmaster>", "MAIL FROM:<é@ü> SMTPUTF8"} {
		f.Add(s, true)
	}
	known := map[*status.Condition]bool{nil: true}
	for _, c := range status.All() {
		known[c] = true
	}
	f.Fuzz(func(t *testing.T, line string, utf8 bool) {
		cmd := parse([]byte(line), utf8)
		if !known[cmd.fault] || cmd.verb == "" && cmd.fault == nil || cmd.size < 0 || cmd.size > maxChunk || cmd.mail.DeclaredSize < 0 {
			t.Fatalf("%q: %+v", line, cmd)
		}
		if cmd.fault != nil {
			return
		}
		if cmd.verb == "MAIL" || cmd.verb == "RCPT" {
			arg := map[string]string{"MAIL": "MAIL FROM:<", "RCPT": "RCPT TO:<"}[cmd.verb] + cmd.path.String() + ">"
			if cmd.mail.SMTPUTF8 {
				arg += " SMTPUTF8"
			}
			if again := parse([]byte(arg), utf8); again.fault != nil || again.path != cmd.path {
				t.Fatalf("%q: %+v is written %q and read %+v", line, cmd, arg, again)
			}
		}
	})
}
