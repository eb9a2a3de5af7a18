package reply

import (
	"strings"
	"unicode"
)

// The fields of the block that Outlook and others put above an old message.
const (
	fieldFrom = 1 << iota
	fieldDate
	fieldTo
	fieldSubject
	fieldOther
)

// fieldNames are the names of those fields, in small letters, in the languages of
// the mail readers.
func fieldNames(name string) uint8 {
	switch name {
	case "from", "von", "de", "da", "van", "od", "от", "от кого", "från", "fra", "lähettäjä", "expéditeur", "kimden", "feladó",
		"de la", "odesílatel", "від", "från:", "差出人", "送信者", "发件人", "寄件者", "寄件人", "發件人", "보낸 사람", "보낸사람", "remitente", "mittente", "afzender", "от:":
		return fieldFrom
	case "sent", "date", "gesendet", "datum", "envoyé", "envoyé le", "envoyée", "le", "date d'envoi", "enviado", "enviado el", "enviado em",
		"enviada", "enviada em", "enviada a", "fecha", "data", "data invio", "inviato", "inviato il", "verzonden", "verzonden op", "wysłano",
		"wysłane", "data wysłania", "дата", "отправлено", "отправлен", "надіслано", "skickat", "skickat den", "sendt", "dato", "lähetetty",
		"päivämäärä", "päiväys", "gönderilen", "tarih", "elküldve", "dátum", "odesláno", "送信日時", "日付", "日時", "送信日",
		"发送时间", "发送日期", "日期", "时间", "發送時間", "發送日期", "寄件日期", "傳送時間", "傳送日期", "보낸 날짜", "날짜":
		return fieldDate
	case "to", "an", "à", "a", "para", "aan", "do", "кому", "till", "til", "vastaanottaja", "kime", "címzett", "komu", "宛先", "收件人", "收件者",
		"받는 사람", "받는사람", "destinataire", "destinatario", "destinatário":
		return fieldTo
	case "subject", "betreff", "objet", "asunto", "oggetto", "assunto", "onderwerp", "temat", "тема", "ämne", "emne", "aihe", "konu", "tárgy",
		"subiect", "předmět", "件名", "主题", "主題", "主旨", "제목", "sujet":
		return fieldSubject
	case "cc", "bcc", "kopie", "kopia", "dw", "udw", "копия", "копія", "kopi", "kopio", "抄送", "副本", "참조", "reply-to", "reply to", "antwort an",
		"répondre à", "responder a", "responder para", "rispondi a", "beantwoorden - aan", "antwoorden aan", "svara till", "ответить",
		"返信先", "答复", "回复", "importance", "wichtigkeit", "priorität", "priority", "attachments", "anlagen", "pièces jointes", "organization", "cci", "cco", "ccn":
		return fieldOther
	}
	return 0
}

// field returns which field the trimmed line s is, 0 for none, and whether it has
// a value.
func field(s string) (class uint8, value string) {
	head := s[:min(len(s), 48)]
	colon, width := strings.IndexByte(head, ':'), 1
	if wide := strings.Index(head, "\uff1a"); wide >= 0 && (colon < 0 || wide < colon) {
		colon, width = wide, 3
	}
	if colon <= 0 {
		return 0, ""
	}
	name := strings.TrimFunc(s[:colon], func(r rune) bool { return r == '*' || r == '_' || invisible(r) })
	if name == "" || len(name) > 32 || name[0] < 'A' {
		return 0, ""
	}
	class = fieldNames(strings.ToLower(strings.ReplaceAll(name, "\u00a0", " ")))
	return class, trim(strings.TrimLeft(s[colon+width:], "*_ "))
}

// fieldBlock returns the last line of the block of fields that begins with line i
// and which fields it has, or -1. A block has From and two of Sent, To and Subject.
// Values may go on on further lines, and blank lines may stand between fields.
func (d *document) fieldBlock(i int) (last int, fields uint8) {
	if d.blocks == 0 {
		return -1, 0
	}
	class, value := field(d.at(i))
	if class == 0 {
		return -1, 0
	}
	if d.blocks--; class == fieldOther || !fits(class, value) {
		return -1, 0
	}
	fields, last = class, i
	more := 0
	for k := i + 1; k < len(d.lines) && k < i+24; k++ {
		l := &d.lines[k]
		if l.kind == isQuote || l.end-l.start > 4*maxLine {
			break
		}
		if l.kind == isBlank {
			n := d.next(k)
			if n >= len(d.lines) || n > k+2 {
				break
			}
			if c, v := field(d.at(n)); c == 0 || !fits(c, v) || fields&c != 0 {
				break
			}
			continue
		}
		c, v := field(d.at(k))
		switch {
		case c != 0 && fits(c, v) && (c == fieldOther || fields&c == 0):
			fields |= c
			last, more = k, 0
			continue
		case c == 0 && more < 4 && d.lines[k-1].kind != isBlank:
			// A value that goes on; it counts if another field or a blank line follows.
			more++
			continue
		}
		break
	}
	if fields&fieldFrom == 0 || count(fields&^fieldOther) < 3 {
		return -1, 0
	}
	return last, fields
}

// fits tells whether a value can be that of the field: a date has digits, and only
// the fields beside may be empty.
func fits(class uint8, value string) bool {
	switch class {
	case fieldDate:
		return strings.IndexFunc(value, unicode.IsDigit) >= 0
	case fieldOther, fieldSubject, fieldTo:
		return true
	}
	return value != ""
}

func count(mask uint8) int {
	n := 0
	for ; mask != 0; mask &= mask - 1 {
		n++
	}
	return n
}
