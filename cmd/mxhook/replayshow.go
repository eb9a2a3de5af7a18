package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"mxhook/cmd/internal/control"
)

// printShown prints all facts of the events of a name, or their message.
func (r *replay) printShown(arguments []string) question {
	return func(ctx context.Context) int {
		if r.raw {
			if err := r.operations.Raw(ctx, arguments[0], r.f.t.stdout); err != nil {
				return r.f.fail("%v", err)
			}
			return exitGood
		}
		items, err := r.operations.Show(ctx, arguments[0])
		if err != nil {
			return r.f.fail("%v", err)
		}
		if r.json {
			return r.printJSON(map[string]any{"events": items})
		}
		for n, i := range items {
			if n > 0 {
				fmt.Fprintln(r.f.t.stdout)
			}
			r.printFacts(i)
		}
		return exitGood
	}
}

// printFacts prints a JSON object as lines of names and values.
func (r *replay) printFacts(i control.Shown) {
	text, err := json.Marshal(i)
	if err != nil {
		return
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	told := map[string]bool{}
	flatten(d, "", func(name, value string) {
		name = strings.TrimPrefix(name, "record.")
		if value == "" || told[name] {
			return
		}
		told[name] = true
		fmt.Fprintf(r.f.t.stdout, "%-36s  %s\n", name, printable(value))
	})
}

// flatten tells each value of a JSON document in its order, under a name such as
// "session.helo". What is null has no value.
func flatten(d *json.Decoder, name string, tell func(name, value string)) {
	under := func(key string) string { return strings.TrimPrefix(name+"."+key, ".") }
	token, err := d.Token()
	if err != nil {
		return
	}
	switch token {
	case json.Delim('{'):
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return
			}
			flatten(d, under(key.(string)), tell)
		}
		d.Token()
	case json.Delim('['):
		for n := 0; d.More(); n++ {
			flatten(d, under(strconv.Itoa(n)), tell)
		}
		d.Token()
	case nil:
	default:
		tell(name, fmt.Sprint(token))
	}
}
