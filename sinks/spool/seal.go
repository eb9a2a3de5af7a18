package spool

import (
	"bytes"
	"fmt"
	"hash/crc32"
)

// A sealed text is a JSON object whose last key is "sum", the CRC-32C of what stands
// before it, so that what a disk has damaged is not believed. It stays JSON.
const (
	sealLine = `,"sum":"%08x"}`
	sealText = ",\n  \"sum\": \"%08x\"\n}\n"
)

// seal ends the JSON object b.
func seal(b []byte, format string) []byte {
	b = bytes.TrimSuffix(bytes.TrimSuffix(b, []byte("}")), []byte("\n"))
	return fmt.Appendf(b, format, sum(b))
}

// sealed tells whether b is a text that seal ended, as it was then.
func sealed(b []byte, format string) bool {
	n := len(b) - len(fmt.Sprintf(format, 0))
	return n > 0 && string(b[n:]) == fmt.Sprintf(format, sum(b[:n]))
}

func sum(b []byte) uint32 { return crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)) }
