package formats_test

import (
	"slices"
	"strings"
	"testing"

	"mxhook/sinks/payload/formats"
)

func TestEveryNameHasAFormat(t *testing.T) {
	names := formats.Names()
	if names[0] != "mxhook" || !slices.Contains(names, "raw") {
		t.Error(names)
	}
	for i, name := range names {
		k, ok := formats.Find(name)
		if !ok || k.Name != name || slices.Contains(names[:i], name) {
			t.Errorf("%s: found %t, %+v", name, ok, k)
		}
		if f, err := formats.New(name, formats.Options{}); err != nil || f == nil {
			t.Errorf("%s without a secret: %v", name, err)
		}
	}
}

func TestAnUnknownFormatIsAnError(t *testing.T) {
	if _, err := formats.New("xml", formats.Options{Secret: "s3cret"}); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
	if _, ok := formats.Find("xml"); ok {
		t.Error("found")
	}
}
