package reply

import (
	"strings"
	"testing"
)

// Lines that stand above an old message that is not marked, in the languages of mail
// readers.
func TestMarkersEndTheReply(t *testing.T) {
	for _, m := range []string{
		"-----Original Message-----", "-------- Original message --------", "*----- Original Message -----*", "-----Ursprüngliche Nachricht-----", "-------- Originalnachricht --------",
		"-----Message d'origine-----", "-------- Message d’origine --------", "-----Mensaje original-----", "-------- Mensaje original --------", "-----Messaggio originale-----", "-----Mensagem original-----",
		"-----Oorspronkelijk bericht-----", "-------- Wiadomość oryginalna --------", "-------- Исходное сообщение --------", "-----Ursprungligt meddelande-----",
		"-----元のメッセージ-----", "------------------ 原始邮件 ------------------", "------------------&nbsp;原始邮件&nbsp;------------------", "-------- 原始郵件 --------",
		"-- Reply above this line --", "##- Please type your reply above this line -##", "--- Bitte antworten Sie oberhalb dieser Linie ---", "--- Répondez au-dessus de cette ligne ---",
		"--- Responda por encima de esta línea ---", "--- Rispondi sopra questa riga ---", "--- Responda acima desta linha ---", "--- Antwoord boven deze lijn ---", "--- Odpowiedz powyżej tej linii ---",
		"--- Пожалуйста, введите ответ выше этой линии ---", "--- Svara ovanför den här raden ---", "--- この行より上に返信してください ---", "--- 请在此行上方回复 在此行上方 ---",
	} {
		for _, below := range []string{"Did it work?\n\nAnn", "> Did it work?", "Did it work?\n-- \nAnn"} {
			text := "Yes, thanks.\n\n" + m + "\n\n" + below + "\n"
			p := Divide(text, "")
			checkWhole(t, text, p)
			if want := (Parts{Text: "Yes, thanks.", Quoted: m + "\n\n" + below}); p != want {
				t.Errorf("%q: %q", text, p)
			}
		}
	}
}

// A message that is passed on is quoted below a word of the writer, and is the text
// without one.
func TestForwards(t *testing.T) {
	for _, m := range []string{
		"---------- Forwarded message ---------", "-------- Forwarded Message --------", "Begin forwarded message:", "-------- Weitergeleitete Nachricht --------", "Anfang der weitergeleiteten Nachricht:",
		"-------- Message transféré --------", "Début du message réexpédié :", "Début du message transféré\u00a0:", "-------- Mensaje reenviado --------", "Inicio del mensaje reenviado:", "-------- Messaggio Inoltrato --------",
		"Inizio messaggio inoltrato:", "-------- Mensagem encaminhada --------", "Início da mensagem reencaminhada:", "-------- Doorgestuurd bericht --------", "Begin doorgestuurd bericht:",
		"-------- Przekazana wiadomość --------", "Początek przekazywanej wiadomości:", "-------- Пересылаемое сообщение --------", "Начало переадресованного сообщения:", "-------- Vidarebefordrat meddelande --------",
		"Vidarebefordrat brev:", "-------- 転送されたメッセージ --------", "転送されたメッセージ:", "-------- 转发的邮件 --------", "下面是被转发的邮件：",
	} {
		message := m + "\n\n" + blocks[1] + "\n\nDid it work?\n\nOn 20 Nov 2026 at 10:59, Bob <bob@b.example> wrote:\n> Try it."
		p := Divide("See below.\n\n"+message, "")
		if want := (Parts{Text: "See below.", Quoted: message}); p != want {
			t.Errorf("%q: %q", message, p)
		}
		p = Divide(message, "")
		checkWhole(t, message, p)
		if !strings.HasPrefix(p.Text, "Did it work?") || !strings.HasSuffix(p.Text, "> Try it.") || p.Quoted != m+"\n\n"+blocks[1] {
			t.Errorf("without a word: %q: %q", message, p)
		}
	}
}
