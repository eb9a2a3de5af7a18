package reply

import "strings"

// verb tells how a verb of the languages of mail readers stands in the line that
// introduces a quote. The words are in small letters.
type verb byte

const (
	verbNone verb = iota
	verbLast      // "On DATE, NAME wrote:"; also "NAME wrote on DATE:"
	verbMid       // also "Am DATE schrieb NAME:"
)

// wroteVerb returns what word is.
func wroteVerb(word string) verb {
	switch word {
	case "wrote", "writes", "said", "says", // English
		"geschrieben",           // German, Dutch below
		"écrit", "ecrit", "dit", // French
		"escribió", "escribio", "escribiste", "escribía", // Spanish
		"scritto", "scrisse", // Italian
		"escreveu",                                        // Portuguese
		"geschreven",                                      // Dutch
		"написал", "написала", "писал", "пишет", "пишете", // Russian
		"пише", "писав", // Ukrainian
		"kirjoitti",                        // Finnish
		"yazdı", "írta", "έγραψε", "scris", // Turkish, Hungarian, Greek, Romanian
		"כתב", "כתבה", "كتب", "viết": // Hebrew, Arabic, Vietnamese
		return verbLast
	case "schrieb", "schrieben", "schreef", "skrev", "skriver", "napsal", "napsala", "napísal", "napísala",
		"napisał", "napisała", "napisano", "pisze", "napisana", "napisany":
		return verbMid
	}
	return verbNone
}

// verbsInside are the verbs of languages that write no blanks between words.
var verbsInside = [...]string{"写道", "寫道", "書きました", "のメール", "からのメール", "님이 작성", "님의 말"}

// opener tells whether word begins a line that introduces a quote.
func opener(word string) bool {
	switch word {
	case "on", "at", "in", "am", "le", "il", "el", "em", "no", "op", "den", "dnia", "w", "dňa", "dne", "pe", "в", "del", "la", "wiadomość",
		"a", "tarihinde", "στις", "vào", "em:", "you":
		return true
	}
	return false
}

// firstPerson tells whether word says that the writer speaks of himself: "On Monday I
// wrote:" introduces a quote only if a quote follows.
func firstPerson(word string) bool {
	switch word {
	case "i", "ich", "je", "yo", "io", "eu", "ik", "ja", "jag", "я", "we", "wir", "nous", "he", "she", "they", "it",
		"who", "which", "that", "er", "sie", "man", "one", "also", "have", "had", "has", "be", "been", "never", "always", "just", "someone":
		return true
	}
	return false
}

// particle tells whether word may stand behind the verb: "napisał(a)", "Folgendes".
func particle(word string) bool {
	switch word {
	case "a", "la", "o", "ał", "а", "ла", "s", "folgendes", "following", "siguiente", "volgende", "seguinte", "seguente", "ceci", "как", "следующее":
		return true
	}
	return false
}

// originalWords are the words between the dashes of "-----Original Message-----".
func originalWords(s string) bool {
	switch s {
	case "original message", "reply message", "original email", "ursprüngliche nachricht", "originalnachricht", "original-nachricht",
		"original nachricht", "message d'origine", "message d’origine", "message original", "message initial", "mensaje original",
		"messaggio originale", "mensagem original", "oorspronkelijk bericht", "original bericht", "origineel bericht", "wiadomość oryginalna",
		"oryginalna wiadomość", "исходное сообщение", "оригинальное сообщение", "ursprungligt meddelande", "originalmeddelande",
		"oprindelig meddelelse", "opprinnelig melding", "alkuperäinen viesti", "původní zpráva", "eredeti üzenet", "orijinal mesaj", "元のメッセージ",
		"original message (元のメッセージ)", "原始邮件", "原始郵件", "原邮件", "邮件原件", "回复的原邮件", "回复邮件", "원본 메시지", "원본 메일", "исходное письмо":
		return true
	}
	return false
}

// forwardWords are the words that stand above a message that is passed on.
func forwardWords(s string) bool {
	switch s {
	case "forwarded message", "begin forwarded message", "forwarded by", "weitergeleitete nachricht", "weitergeleitete mail",
		"anfang der weitergeleiteten nachricht", "anfang der weitergeleiteten e-mail", "message transféré", "message réexpédié",
		"début du message transféré", "début du message réexpédié", "mensaje reenviado", "inicio del mensaje reenviado",
		"messaggio inoltrato", "inizio messaggio inoltrato", "inizio del messaggio inoltrato", "mensagem encaminhada", "mensagem reencaminhada",
		"início da mensagem encaminhada", "início da mensagem reencaminhada", "doorgestuurd bericht", "begin doorgestuurd bericht",
		"wiadomość przekazana dalej", "przekazana wiadomość", "przekazywana wiadomość", "początek przekazywanej wiadomości",
		"пересылаемое сообщение", "пересланное сообщение", "начало переадресованного сообщения", "начало пересылаемого сообщения",
		"vidarebefordrat meddelande", "vidarebefordrat brev", "börja vidarebefordrat meddelande", "videresendt meddelelse", "videresendt melding",
		"välitetty viesti", "přeposlaná zpráva", "転送されたメッセージ", "転送メッセージ", "転送されたメール", "转发的邮件", "转发邮件", "转发邮件信息",
		"开始转发邮件", "开始转发的信息", "下面是被转发的邮件", "已转发邮件", "轉寄郵件", "轉寄的郵件", "已轉寄的郵件", "開始轉寄郵件", "開始轉寄訊息", "전달된 메시지", "전달된 메일":
		return true
	}
	return false
}

// marker says whether line i, which is s trimmed, stands above an old message.
func (d *document) marker(i int, s string) kind {
	if len(s) > 160 || !mayMark(s) {
		return isText
	}
	words, ruled := unrule(s)
	if words == "" {
		return isText
	}
	colon := false
	if k := strings.TrimRight(words, " \u00a0:\uff1a"); k != words {
		words, colon = k, true
	}
	if !ruled && !colon && !strings.Contains(s, "above") {
		return isText
	}
	low := strings.ToLower(strings.ReplaceAll(words, "\u00a0", " "))
	switch {
	case ruled && originalWords(low):
		return isOriginal
	case forwardWords(low):
		return isForward
	case (ruled || len(low) <= 50 && d.alone(i)) && above(low):
		return isAbove
	case ruled && len(low) <= 60 && i+1 < len(d.lines):
		// Whatever the language: dashes, words, dashes, and the fields below.
		if n := d.next(i + 1); n < i+3 && n < len(d.lines) {
			if last, _ := d.fieldBlock(n); last > n {
				return isOriginal
			}
		}
	}
	return isText
}

// mayMark tells cheaply whether the trimmed line s can be a marker: it begins with
// what draws a rule, ends with a colon, or is short and has the word.
func mayMark(s string) bool {
	switch s[0] {
	case '-', '_', '=', '#', '*', '~', '<', 0xe2:
		return true
	}
	return s[len(s)-1] == ':' || strings.HasSuffix(s, "\uff1a") || len(s) <= 60 && strings.Contains(s, "above")
}

// unrule cuts the dashes and the like around words, and says whether there were at
// least two on both sides.
func unrule(s string) (words string, ruled bool) {
	const rule = "-_=#*~>< \u00a0\u2014\u2013"
	words = strings.Trim(strings.ReplaceAll(s, "&nbsp;", " "), rule)
	if words == "" || len(words) == len(s) {
		return words, false
	}
	k := strings.Index(s, words)
	if k < 0 {
		return words, false
	}
	marks := func(s string) int {
		return strings.Count(s, "-") + strings.Count(s, "_") + strings.Count(s, "=") + strings.Count(s, "#") + strings.Count(s, "*") + strings.Count(s, "~") + 2*strings.Count(s, "\u2014")
	}
	return words, marks(s[:k]) >= 2 && marks(s[k+len(words):]) >= 2
}

// above tells whether s asks to reply above it. These lines stand in the messages of
// help desks, and so in the quotes of replies to them.
func above(s string) bool {
	switch {
	case strings.Contains(s, "above this line"), strings.Contains(s, "above the line"):
		return strings.Contains(s, "reply") || strings.Contains(s, "repl") || strings.Contains(s, "respon") || strings.Contains(s, "type") || strings.Contains(s, "write")
	case strings.Contains(s, "oberhalb dieser"), strings.Contains(s, "über dieser linie"), strings.Contains(s, "über dieser zeile"):
		return strings.Contains(s, "antwort") || strings.Contains(s, "schreiben")
	case strings.Contains(s, "au-dessus de cette ligne"):
		return strings.Contains(s, "répon")
	case strings.Contains(s, "por encima de esta línea"), strings.Contains(s, "encima de esta línea"), strings.Contains(s, "sobre esta línea"):
		return strings.Contains(s, "respon") || strings.Contains(s, "escrib")
	case strings.Contains(s, "sopra questa riga"), strings.Contains(s, "sopra questa linea"):
		return strings.Contains(s, "rispo") || strings.Contains(s, "scriv")
	case strings.Contains(s, "acima desta linha"):
		return strings.Contains(s, "respo") || strings.Contains(s, "escrev")
	case strings.Contains(s, "boven deze lijn"), strings.Contains(s, "boven deze regel"):
		return strings.Contains(s, "antwoord") || strings.Contains(s, "reageer")
	case strings.Contains(s, "powyżej tej linii"), strings.Contains(s, "nad tą linią"):
		return strings.Contains(s, "odpow") || strings.Contains(s, "wpisz")
	case strings.Contains(s, "выше этой линии"), strings.Contains(s, "над этой линией"), strings.Contains(s, "выше этой строки"), strings.Contains(s, "над этой строкой"):
		return strings.Contains(s, "ответ")
	case strings.Contains(s, "ovanför denna rad"), strings.Contains(s, "ovanför den här raden"), strings.Contains(s, "över den här raden"):
		return strings.Contains(s, "svar") || strings.Contains(s, "skriv")
	case strings.Contains(s, "この行より上"), strings.Contains(s, "この線より上"), strings.Contains(s, "在此行上方"), strings.Contains(s, "在此线上方"), strings.Contains(s, "请在此行之上"):
		return true
	}
	return false
}

// alone tells whether blank lines stand around line i.
func (d *document) alone(i int) bool {
	return (i == 0 || d.lines[i-1].kind != isText) && (i+1 == len(d.lines) || d.lines[i+1].kind == isBlank)
}
