package reply

import (
	"strings"
	"testing"
)

// attributions are lines that introduce a quote, as mail readers write them.
var attributions = []string{
	// Gmail
	"On Sat, Nov 21, 2026 at 10:59 AM Ann Example <ann@sender.example> wrote:",
	"On Sat, 21 Nov 2026 at 10:59, Ann Example <ann@sender.example> wrote:",
	"On Sat, Nov 21, 2026 at 10:59\u202fAM Ann Example <\nann@sender.example> wrote:",
	"Am Sa., 21. Nov. 2026 um 10:59 Uhr schrieb Ann Example <ann@sender.example>:",
	"Am Sa., 21. Nov. 2026 um 10:59 Uhr schrieb Ann Example <\nann@sender.example>:",
	"Le sam. 21 nov. 2026 à 10:59, Ann Example <ann@sender.example> a écrit :",
	"Le sam. 21 nov. 2026 à 10:59, Ann Example <ann@sender.example> a\nécrit :",
	"El sáb, 21 nov 2026 a las 10:59, Ann Example (<ann@sender.example>) escribió:",
	"Il giorno sab 21 nov 2026 alle ore 10:59 Ann Example <ann@sender.example>\nha scritto:",
	"Em sáb., 21 de nov. de 2026 às 10:59, Ann Example <ann@sender.example>\nescreveu:",
	"Ann Example <ann@sender.example> escreveu no dia sábado, 21/11/2026 à(s) 10:59:",
	"Op za 21 nov 2026 om 10:59 schreef Ann Example <ann@sender.example>:",
	"sob., 21 lis 2026 o 10:59 Ann Example <ann@sender.example> napisał(a):",
	"сб, 21 нояб. 2026 г. в 10:59, Ann Example <ann@sender.example>:",
	"Den lör 21 nov. 2026 kl 10:59 skrev Ann Example <ann@sender.example>:",
	"2026年11月21日(土) 10:59 Ann Example <ann@sender.example>:",
	"Ann Example <ann@sender.example> 于2026年11月21日周六 10:59写道：",
	"Ann Example <ann@sender.example> 於 2026年11月21日 週六 上午10:59寫道：",
	"2026년 11월 21일 (토) 오전 10:59, Ann Example <ann@sender.example>님이 작성:",
	"la 21. marrask. 2026 klo 10.59 Ann Example (ann@sender.example) kirjoitti:",
	"lør. 21. nov. 2026 kl. 10:59 skrev Ann Example <ann@sender.example>:",
	"Den lør. 21. nov. 2026 kl. 10.59 skrev Ann Example <ann@sender.example>:",
	"so 21. 11. 2026 v 10:59 odesílatel Ann Example <ann@sender.example> napsal:",
	"сб, 21 лист. 2026 р. о 10:59 Ann Example <ann@sender.example> пише:",
	// Apple Mail
	"On 21. Nov 2026, at 10:59, Ann Example <ann@sender.example> wrote:",
	"> On Nov 21, 2026, at 10:59 AM, Ann Example <ann@sender.example> wrote:",
	"Am 21.11.2026 um 10:59 schrieb Ann Example <ann@sender.example>:",
	"> Am 21.11.2026 um 10:59 schrieb Ann Example <ann@sender.example>:",
	"> Le 21 nov. 2026 à 10:59, Ann Example <ann@sender.example> a écrit :",
	"> El 21 nov 2026, a las 10:59, Ann Example <ann@sender.example> escribió:",
	"> Il giorno 21 nov 2026, alle ore 10:59, Ann Example <ann@sender.example> ha scritto:",
	"> No dia 21/11/2026, às 10:59, Ann Example <ann@sender.example> escreveu:",
	"> Op 21 nov 2026 om 10:59 heeft Ann Example <ann@sender.example> het volgende geschreven:",
	"> Wiadomość napisana przez Ann Example <ann@sender.example> w dniu 21.11.2026, o godz. 10:59:",
	"> 21 нояб. 2026 г., в 10:59, Ann Example <ann@sender.example> написал(а):",
	"> 21 nov. 2026 kl. 10:59 skrev Ann Example <ann@sender.example>:",
	"> 2026/11/21 10:59、Ann Example <ann@sender.example>のメール:",
	"> 2026年11月21日 10:59，Ann Example <ann@sender.example> 写道：",
	"> 在 2026年11月21日，10:59，Ann Example <ann@sender.example> 写道：",
	// Thunderbird
	"On 21/11/2026 10:59, Ann Example wrote:",
	"Am 21.11.26 um 10:59 schrieb Ann Example:",
	"Le 21/11/2026 à 10:59, Ann Example a écrit :",
	"El 21/11/26 a las 10:59, Ann Example escribió:",
	"Il 21/11/26 10:59, Ann Example ha scritto:",
	"Em 21/11/2026 10:59, Ann Example escreveu:",
	"Op 21-11-2026 om 10:59 schreef Ann Example:",
	"W dniu 21.11.2026 o 10:59, Ann Example pisze:",
	"21.11.2026 10:59, Ann Example пишет:",
	"Den 2026-11-21 kl. 10:59, skrev Ann Example:",
	"On 2026/11/21 10:59, Ann Example wrote:",
	"在 2026/11/21 10:59, Ann Example 写道:",
	// Yahoo, Yandex, mail.ru, GMX, Zoho, 163, WP, old Gmail
	"On Saturday, November 21, 2026 at 10:59:12 AM GMT+1, Ann Example <ann@sender.example> wrote:",
	"Am Samstag, 21. November 2026 um 10:59:12 MEZ hat Ann Example <ann@sender.example> Folgendes geschrieben:",
	"Le samedi 21 novembre 2026 à 10:59:12 UTC+1, Ann Example <ann@sender.example> a écrit :",
	"En sábado, 21 de noviembre de 2026, 10:59:12 CET, Ann Example <ann@sender.example> escribió:",
	"Il sabato 21 novembre 2026 alle ore 10:59:12 CET, Ann Example <ann@sender.example> ha scritto:",
	"21.11.2026, 10:59, \"Ann Example\" <ann@sender.example>:",
	"Суббота, 21 ноября 2026, 10:59 +03:00 от Ann Example <ann@sender.example>:",
	"---- On Sat, 21 Nov 2026 10:59:12 +0100 Ann Example <ann@sender.example> wrote ----",
	"At 2026-11-21 10:59:12, \"Ann Example\" <ann@sender.example> wrote:",
	"在 2026-11-21 10:59:12，\"Ann Example\" <ann@sender.example> 写道：",
	"W dniu 2026-11-21 10:59:12 użytkownik Ann Example <ann@sender.example> napisał:",
	"2026-11-21 10:59 GMT+01:00 Ann Example <ann@sender.example>:",
	"ann@sender.example schrieb am 21.11.2026 um 10:59 Uhr:",
	"Ann Example <ann@sender.example> wrote on Sat, 21 Nov 2026 10:59:12:",
	"In message <1@sender.example> Ann Example <ann@sender.example> writes:",
}

// Each of them ends the reply, with a marked quote below, and with one that is not
// marked.
func TestAttributionsEndTheReply(t *testing.T) {
	for _, a := range attributions {
		for _, text := range []string{
			"Yes, thanks.\n\n" + a + "\n\n> Did it work?\n> Ann\n",
			"Yes, thanks.\n" + a + "\n> Did it work?\n",
			"Yes, thanks.\n\n" + a + "\n\nDid it work?\nAnn\n",
		} {
			if strings.HasPrefix(a, "> ") && strings.Contains(text, "\nDid") {
				continue // mail readers that mark the line mark all of it
			}
			p := Divide(text, "")
			checkWhole(t, text, p)
			if p.Text != "Yes, thanks." || p.Signature != "" {
				t.Errorf("%q: %q", text, p)
			}
		}
		if p := Divide("\n"+a+"\n\n> Did it work?\n", ""); p.Text != "" {
			t.Errorf("empty above %q: %q", a, p)
		}
	}
}

// blocks are the fields above an old message, in the languages of Outlook.
var blocks = []string{
	"From: Ann Example <ann@sender.example>\nSent: Saturday, November 21, 2026 10:59 AM\nTo: Support <support@in.example>\nSubject: Your order",
	"From: Ann Example <ann@sender.example>\nDate: Saturday, 21 November 2026 at 10:59\nTo: Support <support@in.example>\nCc: Bob <bob@in.example>\nSubject: Your order",
	"Von: Ann Example <ann@sender.example>\nGesendet: Samstag, 21. November 2026 10:59\nAn: Support <support@in.example>\nBetreff: Ihre Bestellung",
	"Gesendet: Samstag, 21. November 2026 um 10:59 Uhr\nVon: \"Ann Example\" <ann@sender.example>\nAn: support@in.example\nBetreff: Ihre Bestellung",
	"De : Ann Example <ann@sender.example>\nEnvoyé : samedi 21 novembre 2026 10:59\nÀ : Support <support@in.example>\nObjet : Votre commande",
	"De: Ann Example <ann@sender.example>\nEnviado: sábado, 21 de noviembre de 2026 10:59\nPara: Support <support@in.example>\nAsunto: Su pedido",
	"Da: Ann Example <ann@sender.example>\nInviato: sabato 21 novembre 2026 10:59\nA: Support <support@in.example>\nOggetto: Il suo ordine",
	"De: Ann Example <ann@sender.example>\nEnviada em: sábado, 21 de novembro de 2026 10:59\nPara: Support <support@in.example>\nAssunto: Seu pedido",
	"Van: Ann Example <ann@sender.example>\nVerzonden: zaterdag 21 november 2026 10:59\nAan: Support <support@in.example>\nOnderwerp: Uw bestelling",
	"Od: Ann Example <ann@sender.example>\nWysłano: sobota, 21 listopada 2026 10:59\nDo: Support <support@in.example>\nTemat: Zamówienie",
	"От: Ann Example <ann@sender.example>\nОтправлено: 21 ноября 2026 г. 10:59\nКому: Support <support@in.example>\nТема: Ваш заказ",
	"Från: Ann Example <ann@sender.example>\nSkickat: den 21 november 2026 10:59\nTill: Support <support@in.example>\nÄmne: Din order",
	"差出人: Ann Example <ann@sender.example>\n送信日時: 2026年11月21日 10:59\n宛先: Support <support@in.example>\n件名: ご注文",
	"发件人: Ann Example <ann@sender.example>\n发送时间: 2026年11月21日 10:59\n收件人: Support <support@in.example>\n主题: 您的订单",
	"寄件者: Ann Example <ann@sender.example>\n寄件日期: 2026年11月21日 10:59\n收件者: Support <support@in.example>\n主旨: 您的訂單",
	"*From:* Ann Example [mailto:ann@sender.example]\n*Sent:* Saturday, November 21, 2026 10:59 AM\n*To:* Support\n*Subject:* A subject that is\nlonger than a line",
}

func TestFieldsEndTheReply(t *testing.T) {
	for _, b := range blocks {
		for _, rule := range []string{"", "________________________________\n", "-----Original Message-----\n", " ------------------------------\n\n"} {
			quoted := rule + b + "\n\nDid it work?\n\n-- \nAnn"
			text := "Yes, thanks.\n\n" + quoted + "\n"
			p := Divide(text, "")
			checkWhole(t, text, p)
			if p.Text != "Yes, thanks." || p.Quoted != quoted || p.Signature != "" {
				t.Errorf("%q: %q", text, p)
			}
			if p := Divide("\n\n"+quoted, ""); p.Text != "" || p.Quoted != quoted {
				t.Errorf("empty above %q: %q", quoted, p)
			}
		}
	}
}

// devices are lines that mobile mail readers append.
var deviceLines = []string{
	"Sent from my iPhone", "Sent from my Samsung Galaxy smartphone.", "Sent from Yahoo Mail on Android", "Sent from Mail for Windows", "Sent from Outlook for iOS<https://aka.ms/o0ukef>",
	"Get Outlook for Android<https://aka.ms/AAb9ysg>", "Sent with Proton Mail secure email.", "Sent from my phone, please excuse typos.",
	"Von meinem iPhone gesendet", "Von meinem Samsung Galaxy Smartphone gesendet.", "Gesendet mit der GMX Mail App", "Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.",
	"Holen Sie sich Outlook für iOS<https://aka.ms/o0ukef>", "Envoyé de mon iPhone", "Envoyé depuis mon appareil Galaxy", "Obtenez Outlook pour iOS<https://aka.ms/o0ukef>",
	"Enviado desde mi iPhone", "Obtener Outlook para iOS<https://aka.ms/o0ukef>", "Inviato da iPhone", "Scarica Outlook per iOS<https://aka.ms/o0ukef>", "Enviado do meu iPhone", "Obter o Outlook para iOS<https://aka.ms/o0ukef>",
	"Verstuurd vanaf mijn iPhone", "Verzonden vanaf mijn Galaxy", "Outlook voor iOS downloaden<https://aka.ms/o0ukef>", "Wysłane z iPhone'a", "Pobierz aplikację Outlook dla systemu iOS<https://aka.ms/o0ukef>",
	"Отправлено с iPhone", "Отправлено из мобильной Почты Mail.ru", "Skickat från min iPhone", "Hämta Outlook för iOS<https://aka.ms/o0ukef>", "iPhoneから送信", "发自我的 iPhone", "發自我的 iPhone", "從我的 iPhone 傳送", "나의 iPhone에서 보냄",
}

func TestLinesOfDevicesAreSignatures(t *testing.T) {
	for _, s := range deviceLines {
		for _, below := range []string{"", "\n\n> On Nov 21, 2026, at 10:59, Ann <ann@sender.example> wrote:\n> \n> Did it work?", "\n\nOn 21 Nov 2026 at 10:59, Ann <ann@sender.example> wrote:\n> Did it work?",
			"\n________________________________\n" + blocks[0] + "\n\nDid it work?"} {
			text := "Yes, thanks.\n\n" + s + below + "\n"
			p := Divide(text, "")
			checkWhole(t, text, p)
			if p.Text != "Yes, thanks." || p.Signature != s || (p.Quoted == "") != (below == "") {
				t.Errorf("%q: %q", text, p)
			}
			if p := Divide(s+below, ""); p.Text != "" {
				t.Errorf("empty above %q: %q", s+below, p)
			}
		}
	}
}

// replies are texts with what each of them says.
var replies = []struct {
	name, text, html               string
	want, quoted, signed           string
	quotedAnything, signedAnything bool
}{
	{name: "nothing"},
	{name: "only text", text: "Hello.\n", want: "Hello."},
	{name: "a signature", text: "Hello.\n\n-- \nBob\nExample Ltd.\n", want: "Hello.", signed: "-- \nBob\nExample Ltd."},
	{name: "a signature between text and quote", text: "Hello.\n-- \nBob\n\nOn 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\n> Hi\n", want: "Hello.", signed: "-- \nBob", quoted: "On 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\n> Hi"},
	{name: "a signature below the quote", text: "Hello.\n\nOn 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\n> Hi\n\n-- \nBob\n", want: "Hello.", signed: "-- \nBob", quoted: "On 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\n> Hi"},
	{name: "below the quote", text: "On 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\n> Did it work?\n\nYes, thanks.\n\n-- \nBob\n", want: "Yes, thanks.", signed: "-- \nBob", quoted: "On 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\n> Did it work?"},
	{name: "a greeting above and the answer below", text: "Hi Ann,\n\nOn 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\n> Did it work?\n\nYes, thanks.\n", want: "Hi Ann,\n\n> Did it work?\n\nYes, thanks.", quoted: "On 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:"},
	{name: "answers between", text: "Hi Ann,\n\nOn 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\n> Did it work?\n\nYes.\n\n> And the other?\n\nNo.\n\n> Ann\n", want: "Hi Ann,\n\n> Did it work?\n\nYes.\n\n> And the other?\n\nNo.", quotedAnything: true},
	{name: "a quote without a word of whom", text: "> Did it work?\n\nYes.\n", want: "> Did it work?\n\nYes."},
	{name: "nothing but a quote without a word of whom", text: "> Did it work?\n", want: "> Did it work?"},
	{name: "empty above a quote", text: "\n\nOn 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\n\n> Did it work?\n", quoted: "On 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\n\n> Did it work?"},
	{name: "empty above Outlook", text: blocks[0] + "\n\nDid it work?\n", quoted: blocks[0] + "\n\nDid it work?"},
	{name: "reply above this line", text: "Yes.\n\n##- Please type your reply above this line -##\n\nTicket 42\n", want: "Yes.", quoted: "##- Please type your reply above this line -##\n\nTicket 42"},
	{name: "reply above this line, first", text: "##- Please type your reply above this line -##\n\nYour ticket was solved.\n", want: "Your ticket was solved.", quoted: "##- Please type your reply above this line -##"},
	{name: "passed on with a word", text: "See below.\n\n---------- Forwarded message ---------\nFrom: Ann <ann@a.example>\nDate: Sat, 21 Nov 2026 at 10:59\nSubject: Order\nTo: <bob@b.example>\n\nDid it work?\n", want: "See below.", quotedAnything: true},
	{name: "passed on without a word", text: "---------- Forwarded message ---------\nFrom: Ann <ann@a.example>\nDate: Sat, 21 Nov 2026 at 10:59\nSubject: Order\nTo: <bob@b.example>\n\n\nDid it work?\n\nOn Fri, 20 Nov 2026 at 10:59, Bob <bob@b.example> wrote:\n> Try it.\n", want: "Did it work?\n\nOn Fri, 20 Nov 2026 at 10:59, Bob <bob@b.example> wrote:\n> Try it.", quotedAnything: true},
	{name: "marks of direction and blanks that do not break", text: "\u200fתודה\n\n\u200e\u202aOn 21 Nov 2026 at\u00a010:59, Ann <ann@a.example> wrote:\u202c\n\n\u200e> Hi\n", want: "\u200fתודה", quotedAnything: true},
	{name: "initials", text: "Yes.\n\nOn 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\nAE> Did it work?\nAE>\nAE> Ann\n", want: "Yes.", quotedAnything: true},
	{name: "bars", text: "Yes.\n\nOn 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\n| Did it work?\n| Ann\n", want: "Yes.", quotedAnything: true},
	{name: "the words of another language between dashes", text: "Jah.\n\n-------- Algne kiri --------\nFrom: Ann <ann@a.example>\nDate: 21 Nov 2026 10:59\nTo: Bob\nSubject: x\n\nDid it work?\n", want: "Jah.", quotedAnything: true},
	{name: "a list's footer", text: "Hello all.\n\n_______________________________________________\nusers mailing list\nusers@lists.example\n", want: "Hello all.", signedAnything: true},

	{name: "PGP in the text", text: "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nYes.\n\nOn 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\n> Hi\n-----BEGIN PGP SIGNATURE-----\n\niHUEARYKAB0WIQ\n=abcd\n-----END PGP SIGNATURE-----\n", want: "Yes.", quotedAnything: true, signedAnything: true},
	{name: "a rule at the end", text: "Yes.\n\n----\n", want: "Yes.", signed: "----"},
	{name: "posted by", text: "Yes.\n\nPosted by ann on 11/21/2026\n\nDid it work?\n", want: "Yes.", quotedAnything: true},

	{name: "HTML: Outlook on the web, a language that we don't know", text: "Jah.\n________________________________\nSaatja: Ann\nAeg: eile\n\nKas töötas?\n",
		html: "<div>Jah.</div><div id=\"appendonsend\"></div><hr><div id=\"divRplyFwdMsg\"><b>Saatja:</b> Ann<br><b>Aeg:</b> eile</div><div>Kas töötas?</div>", want: "Jah.", quotedAnything: true},
	{name: "HTML: Outlook, empty reply", text: "Saatja: Ann\nAeg: eile\n\nKas töötas?\n", html: "<div id=appendonsend></div><hr><div id=divRplyFwdMsg>Saatja: Ann<br>Aeg: eile</div><div>Kas töötas?</div>", quotedAnything: true},
	{name: "HTML: the rule of Outlook above something else", text: "News\n\nSection\n\nmore\n", html: "<div>News</div><div style='border-top:solid #E1E1E1 1.0pt'>Section</div><p>more</p>", want: "News\n\nSection\n\nmore"},
	{name: "HTML: Gmail, a language that we don't know", text: "Jah.\n\nKell L, 21. nov 2026, kirjutas Ann:\n\n> Kas töötas?\n",
		html: "<div dir=ltr>Jah.</div><br><div class=\"gmail_quote\"><div dir=ltr class=\"gmail_attr\">Kell L, 21. nov 2026, kirjutas Ann:<br></div><blockquote class=\"gmail_quote\">Kas töötas?</blockquote></div>", want: "Jah.", quoted: "Kell L, 21. nov 2026, kirjutas Ann:\n\n> Kas töötas?"},
	{name: "HTML: an answer between, in Gmail", text: "On 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\n\n> Did it work?\n\nYes.\n\n> And the other?\n\nNo.\n",
		html: "<div class=gmail_quote><div class=gmail_attr>On 21 Nov 2026 at 10:59, Ann &lt;ann@a.example&gt; wrote:</div><blockquote>Did it work?</blockquote><div>Yes.</div><blockquote>And the other?</blockquote><div>No.</div></div>", want: "> Did it work?\n\nYes.\n\n> And the other?\n\nNo.", quotedAnything: true},
	{name: "HTML: below the quote, in Thunderbird", text: "Ann ütles eile:\n> Kas töötas?\n\nJah.\n", html: "<div class=\"moz-cite-prefix\">Ann ütles eile:<br></div><blockquote type=\"cite\">Kas töötas?</blockquote><p>Jah.</p>", want: "Jah.", quotedAnything: true},
	{name: "HTML: a quote that the text doesn't mark", text: "Jah.\n\nAnn ütles eile:\nKas töötas?\n", html: "<p>Jah.</p><div class=yahoo_quoted>Ann ütles eile:<div>Kas töötas?</div></div>", want: "Jah.", quoted: "Ann ütles eile:\nKas töötas?"},
	{name: "HTML: a whole mail in a div for quotes", text: "Hello.\n\nBob\n", html: "<div class=gmail_quote><div class=gmail_quote>Hello.<br><br>Bob</div></div>", want: "Hello.\n\nBob"},
	{name: "HTML: other words than the text", text: "Jah.\n\nAnn ütles eile:\nKas töötas?\n", html: "<p>Midagi muud.</p><div class=yahoo_quoted>Ann ütles eile:<div>Kas töötas?</div></div>", want: "Jah.\n\nAnn ütles eile:\nKas töötas?"},
	{name: "HTML: a signature", text: "Hello.\n\nBob Example\nExample Ltd.\n", html: "<div>Hello.</div><div class=\"gmail_signature\">Bob Example<br>Example <a href=x>Ltd.</a></div>", want: "Hello.", signed: "Bob Example\nExample Ltd."},
	{name: "HTML: a link that the text shows", text: "See shop <https://shop.example/> there.\n\nAnn ütles:\nKas töötas?\n", html: "<p>See <a href='https://shop.example/'>shop</a> there.</p><div id=divRplyFwdMsg>Ann ütles:</div><p>Kas töötas?</p>", want: "See shop <https://shop.example/> there.", quotedAnything: true},
}

func TestReplies(t *testing.T) {
	for _, c := range replies {
		t.Run(c.name, func(t *testing.T) {
			p := Divide(c.text, c.html)
			checkWhole(t, c.text, p)
			if p.Text != c.want {
				t.Errorf("text %q, want %q", p.Text, c.want)
			}
			if p.Quoted != c.quoted && !(c.quotedAnything && p.Quoted != "") {
				t.Errorf("quoted %q, want %q", p.Quoted, c.quoted)
			}
			if p.Signature != c.signed && !(c.signedAnything && p.Signature != "") {
				t.Errorf("signature %q, want %q", p.Signature, c.signed)
			}
		})
	}
}

// Beyond what is looked at, text stays with what stands before it.
func TestLongText(t *testing.T) {
	line := strings.Repeat("words ", 10) + "\n"
	long := strings.Repeat(line, maxText/len(line)+10)
	p := Divide(long, "")
	checkWhole(t, long, p)
	if p.Quoted != "" || p.Signature != "" {
		t.Error("something was cut")
	}
	p = Divide("Yes.\n\nOn 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\n"+long, "")
	if p.Text != "Yes." {
		t.Errorf("%.100q", p.Text)
	}
	if p := Divide(strings.Repeat("x", maxText+10), ""); len(p.Text) != maxText+10 {
		t.Error("one long line is cut")
	}
}
