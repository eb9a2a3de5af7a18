package payload

import "embed"

//go:embed schema.json
var files embed.FS

// Schema returns the JSON Schema (2020-12) of the native payload, with a
// description of each field. It allows keys that it doesn't name, since later
// versions may add some. The slice is the caller's.
func Schema() []byte {
	p, _ := files.ReadFile("schema.json") // it is part of the program, so it can't be missing
	return p
}
