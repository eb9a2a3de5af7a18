package reply

import (
	"strings"
	"unicode/utf8"
)

// signatures marks what stands below "-- ", short blocks below another rule at the
// end, and the lines that mobile mail readers append.
func (d *document) signatures() {
	for i := 0; i < len(d.lines); i++ {
		if d.lines[i].kind != isDivider {
			continue
		}
		s := d.at(i)
		end := -1
		if dashes(s) {
			end = d.block(i+1, maxSigned, true)
		} else if footerRule(s) && i > 0 && d.lines[i-1].kind == isBlank {
			end = d.block(i+1, maxDivider, false)
		}
		if end < 0 {
			continue
		}
		d.sign(i, end)
		i = end - 1
	}
	d.openPGP()
	d.devices()
}

// openPGP marks the armor of a text that is signed within (RFC 9580 7): its first
// line with the fields below, and the signature.
func (d *document) openPGP() {
	begin := -1
	for i := range d.lines {
		if k := d.lines[i].kind; k == isBlank || k == isQuote {
			continue
		}
		switch d.at(i) {
		case "-----BEGIN PGP SIGNED MESSAGE-----":
			end := i + 1
			for end < len(d.lines) && end < i+8 && strings.HasPrefix(d.at(end), "Hash: ") {
				end++
			}
			d.sign(i, end)
		case "-----BEGIN PGP SIGNATURE-----":
			begin = i
		case "-----END PGP SIGNATURE-----":
			if begin >= 0 {
				d.sign(begin, i+1)
			}
			begin = -1
		}
	}
}

// sign marks the lines from start to end as signature.
func (d *document) sign(start, end int) {
	for k := start; k < end; k++ {
		if d.lines[k].kind != isBlank {
			d.lines[k].kind = isSignature
		}
	}
}

// footerRule tells whether the divider s is one that stands above a footer.
func footerRule(s string) bool {
	for _, c := range []struct {
		mark string
		n    int
	}{{"_", 2}, {"-", 3}, {"=", 5}, {"*", 5}} {
		if strings.Trim(s, c.mark) == "" && len(s) >= c.n {
			return true
		}
	}
	return false
}

// block returns the end of the text that begins with line i, if it has one to most
// lines and nothing but a quote, or the end, follows it. Blank lines may stand
// within it if blanks says so, else none.
func (d *document) block(i, most int, blanks bool) int {
	n, k := 0, i
	for ; k < len(d.lines); k++ {
		l := &d.lines[k]
		if l.kind == isBlank {
			if !blanks {
				break
			}
			continue
		}
		if l.kind != isText && l.kind != isDivider {
			break
		}
		if n++; n > most || !blanks && l.end-l.start > 110 {
			return -1
		}
	}
	if n == 0 {
		return -1
	}
	if next := d.next(k); next < len(d.lines) && (d.lines[next].kind == isText || d.lines[next].kind == isDivider) {
		return -1
	}
	return k
}

// devices marks the lines that mobile mail readers append: those that only a quote,
// a signature or the end follows, and those that are a paragraph of their own.
func (d *document) devices() {
	last := true // nothing of the writer follows
	for i := len(d.lines) - 1; i >= 0; i-- {
		switch d.lines[i].kind {
		case isText:
			s := d.at(i)
			// "<https://aka.ms/…>" is the second line of one that was wrapped.
			if last && i > 0 && len(s) < 60 && strings.HasPrefix(s, "<http") && strings.HasSuffix(s, ">") &&
				d.lines[i-1].kind == isText && device(d.at(i-1)) {
				d.lines[i].kind = isSignature
				continue
			}
			if (last || d.alone(i) && !nearCode(s)) && device(s) {
				d.lines[i].kind = isSignature
				continue
			}
			last = false
		case isWrote, isQuote, isOriginal, isForward, isFields, isAbove, isMarked:
			last = true
		}
	}
}

func nearCode(s string) bool { return strings.ContainsAny(s, "{};=") }

// device tells whether the trimmed line s says from which device or program a mail
// was sent, and no more than that.
func device(s string) bool {
	if len(s) > 240 || len(s) < 8 {
		return false
	}
	s = plainLink(s)
	low := strings.ToLower(strings.Trim(s, "<>()[]*_-~ \u00a0"))
	if len(low) > 140 || low == "" {
		return false
	}
	if b := low[0]; b >= 'a' && b <= 'z' && strings.IndexByte("abcdefghiklmnopqrstuvwy", b) < 0 {
		return false
	}
	words := strings.Fields(low)
	if len(words) > 14 || strings.HasSuffix(low, "?") {
		return false
	}
	for _, p := range devicePrefixes {
		if low[0] == p.words[0] && strings.HasPrefix(low, p.words) {
			rest := strings.TrimSpace(low[len(p.words):])
			return strings.HasSuffix(strings.TrimRight(low, ". "), p.end) && (rest != "" || p.end != "") && modest(rest, p.most)
		}
	}
	if utf8.RuneCountInString(low) < len(low) {
		for _, p := range deviceParts {
			if strings.Contains(low, p) {
				return true
			}
		}
	}
	return len(words) == 3 && words[1] == "from" && words[2] == "mobile"
}

// modest tells whether rest is at most so many words that name a thing; after a
// comma or a full stop only an apology may follow.
func modest(rest string, most int) bool {
	n := len(strings.Fields(rest))
	if n > most && !strings.Contains(rest, "<http") && !strings.Contains(rest, "http") {
		return false
	}
	for _, sep := range []string{", ", ". ", "; ", " - "} {
		if _, more, ok := strings.Cut(rest, sep); ok && !apology(more) {
			return false
		}
	}
	return most > 4 || !strings.HasSuffix(rest, ".")
}

func apology(s string) bool {
	for _, w := range [...]string{"please", "excuse", "sorry", "pardon", "forgive", "apolog", "typo", "brevity", "entschuldig", "tippfehler",
		"désolé", "perdón", "scus", "desculp", "excus", "http", "download", "the ", "ein", "un ", "a ", "votre", "dein"} {
		if strings.Contains(s, w) {
			return true
		}
	}
	return false
}

// plainLink makes "[words](address)" words, and cuts an address behind words.
func plainLink(s string) string {
	if open := strings.IndexByte(s, '['); open >= 0 {
		if mid := strings.Index(s[open:], "]("); mid > 0 {
			if end := strings.IndexByte(s[open+mid:], ')'); end > 0 {
				s = s[:open] + s[open+1:open+mid] + s[open+mid+end+1:]
			}
		}
	}
	if k := strings.Index(s, "http"); k > 0 {
		s = strings.TrimRight(s[:k], "<([ \u00a0")
	}
	return s
}

// devicePrefixes are how such a line begins, how it ends, and how many words may
// stand between. The first that fits counts.
var devicePrefixes = [...]struct {
	words, end string
	most       int
}{
	{"sent from ", "", 12}, {"sent via ", "", 4}, {"sent with ", "", 5}, {"sent by ", "", 2}, {"sent using ", "", 4}, {"get outlook for ", "", 3},
	{"from my ", "", 4}, {"download outlook for ", "", 3},
	{"von meinem ", "gesendet", 8}, {"von meiner ", "gesendet", 8}, {"von unterwegs ", "gesendet", 3}, {"gesendet von ", "", 8}, {"gesendet mit ", "", 8},
	{"gesendet über ", "", 6}, {"diese nachricht wurde von ", "gesendet", 10},
	{"diese nachricht wurde mit ", "gesendet", 10}, {"diese mail wurde von ", "gesendet", 10}, {"holen sie sich outlook für ", "", 3}, {"outlook für ", "herunterladen", 3},
	{"envoyé de ", "", 8}, {"envoyé depuis ", "", 8}, {"envoyé à partir ", "", 8}, {"envoyé avec ", "", 6}, {"envoyé par ", "", 4}, {"envoyée depuis ", "", 8},
	{"obtenez outlook pour ", "", 3}, {"télécharger outlook pour ", "", 3}, {"téléchargez outlook pour ", "", 3},
	{"enviado desde ", "", 8}, {"enviado con ", "", 5}, {"obtener outlook para ", "", 3}, {"descargar outlook para ", "", 3}, {"obtenga outlook para ", "", 3}, {"enviado do ", "", 8}, {"enviado a partir ", "", 8},
	{"enviado pelo ", "", 6}, {"enviado de ", "", 8}, {"enviado com ", "", 5}, {"obter o outlook para ", "", 3}, {"obter outlook para ", "", 3}, {"baixar o outlook para ", "", 3}, {"baixe o outlook para ", "", 3},
	{"inviato da ", "", 8}, {"inviato dal ", "", 8}, {"inviato con ", "", 5}, {"inviata da ", "", 8}, {"scarica outlook per ", "", 3}, {"ottieni outlook per ", "", 3}, {"ottenere outlook per ", "", 3},
	{"verzonden met ", "", 6}, {"verzonden vanaf ", "", 8}, {"verzonden vanuit ", "", 8}, {"verzonden via ", "", 5}, {"verstuurd vanaf ", "", 8}, {"verstuurd met ", "", 6}, {"verstuurd via ", "", 5},
	{"download outlook voor ", "", 3}, {"outlook voor ", "downloaden", 3}, {"outlook downloaden voor ", "", 3},
	{"wysłane z ", "", 8}, {"wysłano z ", "", 8}, {"wysłane za pomocą ", "", 5}, {"pobierz aplikację outlook ", "", 5}, {"pobierz outlook ", "", 4},
	{"отправлено с ", "", 8}, {"отправлено из ", "", 8}, {"отправлено от ", "", 6}, {"отправлено через ", "", 5}, {"получить outlook для ", "", 3}, {"скачать outlook для ", "", 3},
	{"skickat från ", "", 8}, {"skickat med ", "", 5}, {"skickades från ", "", 8}, {"sänt från ", "", 8}, {"hämta outlook för ", "", 3}, {"skaffa outlook för ", "", 3}, {"från min ", "", 4},
	{"sendt fra ", "", 8}, {"sendt med ", "", 5}, {"hent outlook ", "", 4}, {"lähetetty ", "", 6}, {"надіслано з ", "", 8}, {"odesláno z ", "", 8}, {"odoslané z ", "", 8},
	{"发自我的", "", 6}, {"發自我的", "", 6}, {"从我的", "发送", 6}, {"从我的", "发出", 6}, {"從我的", "傳送", 6}, {"從我的", "寄出", 6}, {"发自", "", 4}, {"傳送自", "", 6}, {"发送自", "", 6}, {"来自我的", "", 6},
	{"获取", "outlook", 6}, {"下载", "outlook", 6}, {"取得", "outlook", 6}, {"下載", "outlook", 6}, {"나의 ", "보냄", 4},
}

// deviceParts are what such a line has somewhere, where it does not begin so. None of
// them is ASCII.
var deviceParts = [...]string{"iphoneから送信", "ipadから送信", "スマホから送信", "スマートフォンから送信", "携帯から送信", "androidから送信", "outlook for iosから送信",
	"から送信されました", "版outlookを入手", "outlook for ios を入手", "outlook for android を入手", "outlook for iosを入手", "outlook for androidを入手", "에서 보냄", "'den gönderildi", "'dan gönderildi", "iphone-umdan göndərildi"}
