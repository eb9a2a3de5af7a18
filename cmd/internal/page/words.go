package page

import (
	"fmt"
	"html/template"
	"strconv"
	"strings"
	"time"

	"mxhook/cmd/internal/recent"
)

// words are the functions of the templates.
func words(now func() time.Time) template.FuncMap {
	return template.FuncMap{
		"octets": octets, "duration": duration, "since": duration,
		"stamp":     func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"clock":     func(t time.Time) string { return t.UTC().Format("15:04:05.000") },
		"machine":   func(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) },
		"kind":      kindOfReply,
		"due":       func(t time.Time) bool { return !t.After(now()) },
		"held":      held,
		"pathquote": pathQuote,
	}
}

// pathQuote makes an id a segment of a path.
func pathQuote(id string) string { return strings.ReplaceAll(id, "/", "%2F") }

// octets returns a size as people say it.
func octets(n int64) string {
	units := []string{"KiB", "MiB", "GiB", "TiB"}
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " octets"
	}
	f := float64(n)
	u := -1
	for f >= 1024 && u < len(units)-1 {
		f /= 1024
		u++
	}
	return strconv.FormatFloat(f, 'f', 1, 64) + " " + units[u]
}

// duration returns a time span with as much of it as matters.
func duration(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return strconv.FormatInt(d.Microseconds(), 10) + " µs"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	case d >= 10*time.Second && d < time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// kindOfReply returns good, later, bad or plain.
func kindOfReply(reply string) string {
	switch {
	case strings.HasPrefix(reply, "2"):
		return "good"
	case strings.HasPrefix(reply, "4"):
		return "later"
	case strings.HasPrefix(reply, "5"):
		return "bad"
	}
	return "plain"
}

// verdictLine is a result in words.
type verdictLine struct{ Method, Result, Of, Reason, Kind string }

// verdictLines tells the results of verification, the most telling first.
func verdictLines(v *recent.Verdicts) []verdictLine {
	if v == nil {
		return nil
	}
	line := func(method string, x recent.Verdict, of string) verdictLine {
		l := verdictLine{Method: method, Result: x.Result, Of: of, Reason: x.Reason, Kind: "plain"}
		switch x.Result {
		case "pass":
			l.Kind = "good"
		case "fail", "permerror":
			l.Kind = "bad"
		case "temperror", "softfail":
			l.Kind = "later"
		}
		return l
	}
	aligned := func(x recent.Verdict, what string) string {
		switch {
		case x.Domain == "":
			return ""
		case x.Aligned:
			return what + x.Domain + ", aligned with From"
		}
		return what + x.Domain
	}
	policy := ""
	if v.DMARC.Domain != "" {
		if policy = "of " + v.DMARC.Domain; v.DMARC.Policy != "" {
			policy += ", whose policy is " + v.DMARC.Policy
		}
	}
	list := []verdictLine{line("DMARC", v.DMARC, policy)}
	for _, d := range v.DKIM {
		list = append(list, line("DKIM", d, aligned(d, "signature of ")))
	}
	list = append(list, line("SPF", v.SPF, aligned(v.SPF, "of ")))
	if v.ARC.Result != "none" && v.ARC.Result != "" {
		of := ""
		if v.ARC.Domain != "" {
			of = "sealed by " + v.ARC.Domain
		}
		if v.ARC.Aligned {
			of += ", the last a trusted one"
		}
		list = append(list, line("ARC", v.ARC, of))
	}
	of := ""
	if v.IPRev.Domain != "" {
		of = "the address is " + v.IPRev.Domain
	}
	return append(list, line("Reverse DNS", v.IPRev, of))
}
