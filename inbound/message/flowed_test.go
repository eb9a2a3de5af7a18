package message

import "testing"

func TestFlowedTextIsJoined(t *testing.T) {
	for _, x := range []struct {
		in, want string
		delSp    bool
	}{
		{"one \ntwo\nthree\n", "one two\nthree\n", false},
		{"one \ntwo\n", "onetwo\n", true},
		{"one  \ntwo\n", "one two\n", true},
		{"> a \n> b\n>> c \n> d\ne\n", "> a b\n>> c \n> d\ne\n", false},
		{">a \n>  b\n>\n> c\n", "> a  b\n>\n> c\n", false},
		{" >no quote\n From x\n  two\n", ">no quote\nFrom x\n two\n", false},
		{"text \n-- \nAnn \nMunich\n", "text \n-- \nAnn Munich\n", false},
		{"> q \n> -- \n> Ann\n", "> q \n> -- \n> Ann\n", false},
		{"last ", "last ", false},
		{"last \n", "last ", false},
		{"\n \n\n", "\n\n\n", false},
		{"", "", false},
	} {
		if got := unflow(x.in, x.delSp); got != x.want {
			t.Errorf("%q: %q, want %q", x.in, got, x.want)
		}
	}
}

func TestFlowedIsReadFromTheContentType(t *testing.T) {
	for param, want := range map[string]string{
		"format=flowed":            "one two\n",
		"Format=Flowed; DelSp=Yes": "onetwo\n",
		"format=fixed":             "one \ntwo\n",
	} {
		m := parse(t, "From: a@b.example\r\nContent-Type: text/plain; "+param+"\r\n\r\none \r\ntwo\r\n")
		if m.Text != want {
			t.Errorf("%s: %q", param, m.Text)
		}
	}
}
