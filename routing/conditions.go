package routing

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mxhook/inbound"
	"mxhook/inbound/message"
	"mxhook/verify"
	"mxhook/verify/authres"
)

const unverified = "nobody verified the message"

func resultCondition(method string, wanted []authres.Result) condition {
	return condition{
		text: method + " is " + either(wanted),
		holds: func(f *Facts) Truth {
			if f.Results == nil {
				return Open
			}
			given := resultsOf(f.Results, method)
			switch {
			case slices.ContainsFunc(given, func(r authres.Result) bool { return slices.Contains(wanted, r) }):
				return Yes
			case slices.Contains(given, authres.TempError):
				return Open
			}
			return No
		},
		found: func(f *Facts) string {
			if f.Results == nil {
				return unverified
			}
			return method + " is " + joined(resultsOf(f.Results, method))
		},
	}
}

// resultsOf returns what a method found: one result, of DKIM one for each signature. A
// result that nobody set is none.
func resultsOf(r *verify.Results, method string) []authres.Result {
	var list []authres.Result
	switch method {
	case "spf":
		list = append(list, r.SPF.Result)
	case "dmarc":
		list = append(list, r.DMARC.Result)
	case "arc":
		list = append(list, r.ARC.Result)
	default:
		for _, s := range r.DKIM {
			list = append(list, s.Result)
		}
	}
	if len(list) == 0 || list[0] == "" {
		return []authres.Result{authres.None}
	}
	return list
}

func fromVerifiedCondition(wanted bool) condition {
	return condition{
		text: "from_verified is " + strconv.FormatBool(wanted),
		holds: func(f *Facts) Truth {
			r := f.Results
			switch {
			case r == nil:
				return Open
			case r.FromVerified:
				return truth(wanted)
			case r.DMARC.Result == authres.TempError || f.ARCCounts && r.ARC.Result == authres.TempError:
				return Open
			}
			return truth(!wanted)
		},
		found: func(f *Facts) string {
			if f.Results == nil {
				return unverified
			}
			return fmt.Sprintf("from_verified is %t, dmarc %s", f.Results.FromVerified, resultsOf(f.Results, "dmarc")[0])
		},
	}
}

func fromCondition(wanted []string, patterns []*pattern) condition {
	return condition{
		text: "each author (From) matches " + quoteList(wanted),
		holds: func(f *Facts) Truth {
			for _, author := range f.Message.From {
				if !takesAuthor(patterns, author.Address) {
					return No
				}
			}
			return truth(len(f.Message.From) > 0)
		},
		found: func(f *Facts) string {
			var list []string
			for _, author := range f.Message.From {
				list = append(list, strconv.Quote(author.Address))
			}
			return "the message is " + orNone("from ", list, "from nobody")
		},
	}
}

// takesAuthor tells whether a pattern takes an address of the From field. What is no
// address is taken by none.
func takesAuthor(patterns []*pattern, author string) bool {
	p, err := inbound.ParsePath(author, true)
	if err != nil || p.Domain == "" {
		return false
	}
	a := newAddress(p)
	return slices.ContainsFunc(patterns, func(p *pattern) bool {
		_, ok := p.match(a)
		return ok
	})
}

func subjectCondition(wanted []string, globs []textGlob) condition {
	return condition{
		text:  "the subject matches " + quoteList(wanted),
		holds: func(f *Facts) Truth { return truth(anyTakes(globs, f.Message.Subject)) },
		found: func(f *Facts) string { return fmt.Sprintf("the subject is %q", shortened(f.Message.Subject)) },
	}
}

func headerCondition(h HeaderCondition, globs []textGlob) condition {
	text := fmt.Sprintf("a field %s matches %s", h.Name, quoteList(h.Values))
	if slices.Contains(h.Values, "*") {
		text = fmt.Sprintf("there is a field %s", h.Name)
	}
	return condition{
		text: text,
		holds: func(f *Facts) Truth {
			return truth(slices.ContainsFunc(f.Message.Header, func(field message.Field) bool {
				return strings.EqualFold(field.Name, h.Name) && anyTakes(globs, field.Value)
			}))
		},
		found: func(f *Facts) string {
			var list []string
			for _, field := range f.Message.Header {
				if strings.EqualFold(field.Name, h.Name) {
					list = append(list, strconv.Quote(shortened(field.Value)))
				}
			}
			return orNone(h.Name+" is ", list, "there is no field "+h.Name)
		},
	}
}

func classCondition(wanted []message.Class) condition {
	return condition{
		text:  "the class is " + either(wanted),
		holds: func(f *Facts) Truth { return truth(slices.Contains(wanted, f.Message.Class)) },
		found: func(f *Facts) string { return "the class is " + string(f.Message.Class) },
	}
}

func sizeCondition(b SizeBound) condition {
	return condition{
		text:  "the size is " + b.String(),
		holds: func(f *Facts) Truth { return truth(b.Takes(f.Size)) },
		found: func(f *Facts) string { return fmt.Sprintf("the size is %d", f.Size) },
	}
}

func either[T ~string](words []T) string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = string(w)
	}
	return strings.Join(list, " or ")
}

// orNone lists at most three of what there is.
func orNone(before string, list []string, none string) string {
	if len(list) == 0 {
		return none
	}
	more := ""
	if len(list) > 3 {
		list, more = list[:3], ", …"
	}
	return before + strings.Join(list, ", ") + more
}

// shortened cuts a sender's text for a line.
func shortened(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
