// Package tneftest writes TNEF streams (MS-OXTNEF) for tests and examples. It
// writes what it is given, also what is wrong.
package tneftest

import (
	"encoding/binary"
	"unicode/utf16"
)

// Stream returns a stream of attributes.
func Stream(attributes ...[]byte) []byte {
	b := []byte{0x78, 0x9f, 0x3e, 0x22, 1, 0}
	for _, a := range attributes {
		b = append(b, a...)
	}
	return b
}

// Attribute returns one attribute of level 1 (the message) or 2 (a file).
func Attribute(level byte, tag uint32, data []byte) []byte {
	b := []byte{level}
	b = binary.LittleEndian.AppendUint32(b, tag)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(data)))
	b = append(b, data...)
	sum := uint16(0)
	for _, c := range data {
		sum += uint16(c)
	}
	return binary.LittleEndian.AppendUint16(b, sum)
}

// CodePage returns the attribute of the code page that strings are in.
func CodePage(page uint32) []byte {
	return Attribute(1, 0x00069007, binary.LittleEndian.AppendUint32(nil, page))
}

// Properties returns the attribute of the message's properties.
func Properties(properties ...[]byte) []byte {
	return Attribute(1, 0x00069003, list(properties))
}

func list(properties [][]byte) []byte {
	b := binary.LittleEndian.AppendUint32(nil, uint32(len(properties)))
	for _, p := range properties {
		b = append(b, p...)
	}
	return b
}

// Property returns a property with one value of variable length.
func Property(id, kind uint16, value []byte) []byte {
	b := binary.LittleEndian.AppendUint16(nil, kind)
	b = binary.LittleEndian.AppendUint16(b, id)
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = binary.LittleEndian.AppendUint32(b, uint32(len(value)))
	return append(append(b, value...), make([]byte, -len(value)&3)...)
}

// Unicode returns a property that is a string.
func Unicode(id uint16, s string) []byte {
	var b []byte
	for _, u := range append(utf16.Encode([]rune(s)), 0) {
		b = binary.LittleEndian.AppendUint16(b, u)
	}
	return Property(id, 0x1f, b)
}

// Number returns a property that is a number of 32 bits.
func Number(id uint16, n uint32) []byte {
	b := binary.LittleEndian.AppendUint16(nil, 3)
	b = binary.LittleEndian.AppendUint16(b, id)
	return binary.LittleEndian.AppendUint32(b, n)
}

// File returns the attributes of a file; name is its short name.
func File(name string, data []byte, properties ...[]byte) []byte {
	b := Attribute(2, 0x00069002, make([]byte, 14))
	b = append(b, Attribute(2, 0x0006800f, data)...)
	b = append(b, Attribute(2, 0x00018010, append([]byte(name), 0))...)
	if len(properties) > 0 {
		b = append(b, Attribute(2, 0x00069005, list(properties))...)
	}
	return b
}

// Embedded returns the property that makes an attachment an embedded message.
func Embedded(stream []byte) []byte {
	iid := []byte("\x07\x03\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46")
	return Property(0x3701, 0x0d, append(iid, stream...))
}

// RTF returns a body, compressed without references (MS-OXRTFCP).
func RTF(rtf string) []byte {
	var b []byte
	for i := 0; i < len(rtf); i += 8 {
		b = append(append(b, 0), rtf[i:min(len(rtf), i+8)]...)
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(b)+12))
	head = binary.LittleEndian.AppendUint32(head, uint32(len(rtf)))
	head = append(append(head, "LZFu"...), 0, 0, 0, 0)
	return Property(0x1009, 0x102, append(head, b...))
}
