package reply

import "testing"

// whole are texts that hold what looks like a quote or a signature and is none.
var whole = map[string]string{
	"From in prose":             "I need the mails that come\nFrom: john@a.example\nand also those\nFrom: jane@a.example, please.",
	"one field":                 "Please change this:\n\nSubject: Your order\n\nto something else.",
	"two fields":                "The form says\n\nFrom: Berlin\nTo: Hamburg\n\nand I want the other way.",
	"a form":                    "From: Ann Example\nSubject: Question\nTo: Sales\n\nDo you deliver on Sundays?",
	"On Monday":                 "On Monday I wrote:\n- the first thing\n\nOn Tuesday I wrote:\n- the second thing\n\nPlease read both.",
	"On a date":                 "On 3 May 2026 I wrote:\n\nthe first thing, and you never answered.",
	"a date, what was said":     "On 3 May 2026 at 10:30 he said:\n\nno way.",
	"At a time":                 "The meeting is at 10:30:\n\n- first\n- second",
	"log lines":                 "Here is the log:\n\n2026-11-21 10:59:12 GMT error: no route\n2026-11-21 10:59:13 GMT error: no route\n\nWhat now?",
	"times and addresses":       "2026-11-21 10:59 ann@a.example logged in:\n\nWhy?",
	"a schedule":                "15.01.2026 14:30 - 15:30: talk by Ann\n16.01.2026 10:00 - 11:00: talk by Bob\n\nSee you.",
	"dashes that begin lines":   "Because of:\n-- the first\n-- the second\n\nThanks!",
	"a table":                   "Service    Date\n----------------\nfirst      today\nsecond     tomorrow\n\nAll dates are guesses.",
	"markdown":                  "# Title\n\n----\n\ntext\n\n====\n\nmore text",
	"underlined":                "Title\n=====\nText.",
	"code in a fence":           "Try this:\n\n```\n--\nOn 21 Nov 2026 at 10:59, Ann <ann@a.example> wrote:\n> x\nFrom: a\nDate: 1\nTo: b\nSubject: c\n```\n\nIt works for me.",
	"SQL":                       "Run this:\n\n-- the first\nselect 1;\n-- the second\nselect 2;\n\nand tell me.",
	"shell redirection":         "cat a > b\n\nand then\n\nsort b >c\n\nthat is all.",
	"a bar table":               "| a | b |\n| 1 | 2 |\n\nsee above.",
	"XML":                       "<a>\n  <B>text</B>\n</a>\n\nis what I get.",
	"Sent from in prose":        "The message was\nSent from my iPhone app, which is what you asked.\n\nDoes it help?",
	"sent by":                   "The parcel was\n\nsent by courier yesterday.\n\nDid it arrive?",
	"regards":                   "With regards to the invoice:\n\nRegards are due.\n\nBest regards,\nBob",
	"a colon at the end":        "This is what Ann wrote:\n\nno, thanks.",
	"wrote, with an address":    "I asked ann@a.example and she wrote:\n\nno, thanks.",
	"original message in prose": "The original message is gone.\n\nOriginal message:\nnone.",
	"forwarded in prose":        "I sent you the forwarded message yesterday.\n\nDid you get it?",
	"above this line":           "The text above this line is what I wrote to you, please reply.\n\nBob",
	"a long dash":               "First.\n\n—Bob",
	"German prose":              "Am 3. Mai 2026 schrieb der Minister:\n\nDas geht nicht.\n\nWas meinen Sie?",
	"French prose":              "Le 3 mai 2026 le ministre a écrit :\n\nNon.\n\nQu'en pensez-vous ?",
	"Spanish prose":             "El presidente escribió:\n\nNo.\n\n¿Y ahora?",
	"a dialogue":                "Bob: hello\nAnn: hi\nBob: did it work?\nAnn: no",
	"questions and answers":     "Q: Does it work?\nA: No.\nQ: Why?\nA: Because.",
}

func TestWhatIsNoQuoteIsNotCut(t *testing.T) {
	for name, s := range whole {
		if p := Divide(s+"\n", ""); p != (Parts{Text: s}) {
			t.Errorf("%s: %q", name, p)
		}
	}
}
