package page

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
)

// dropped are the elements that are left out of the frame, with all that is in them. Its
// policy forbids what they would load; but a browser may open a connection, or look up a
// name, because of a link or a meta element, and no policy speaks of that.
var dropped = map[string]bool{"link": true, "meta": true, "base": true, "script": true, "noscript": true, "iframe": true, "frame": true,
	"frameset": true, "object": true, "embed": true, "applet": true, "template": true, "portal": true, "fencedframe": true}

// rounds is how often HTML is read anew to find what the last reading hid.
const rounds = 4

// still returns HTML without the elements that are dropped, read as a browser without
// script reads it. What was written is read again, since it may say something else than
// what was read; nil where that has no end, and where the HTML is too deep. It is not
// what keeps a mail from doing harm: the sandbox and the policy are.
func still(text string) []byte {
	for range rounds {
		doc, err := html.ParseWithOptions(strings.NewReader(text), html.ParseOptionEnableScripting(false))
		if err != nil {
			return nil
		}
		n := drop(doc)
		var out bytes.Buffer
		if html.Render(&out, doc) != nil {
			return nil
		}
		if n == 0 {
			return out.Bytes()
		}
		text = out.String()
	}
	return nil
}

// drop takes the dropped elements out of a tree, whatever their namespace, and returns how
// many there were.
func drop(root *html.Node) (n int) {
	var gone []*html.Node
	for node := range root.Descendants() {
		if node.Type == html.ElementNode && dropped[strings.ToLower(node.Data)] {
			gone = append(gone, node)
		}
	}
	for _, node := range gone {
		if node.Parent != nil {
			node.Parent.RemoveChild(node)
		}
	}
	return len(gone)
}
