package record

import (
	"encoding/json"

	"mxhook/inbound"
)

// Path is written as an address, or by its parts where no address reads back the same.
type Path inbound.Path

type parts struct {
	LocalPart string `json:"local_part"`
	Domain    string `json:"domain"`
}

// MarshalJSON implements json.Marshaler.
func (p Path) MarshalJSON() ([]byte, error) {
	address := inbound.Path(p).String()
	if back, err := inbound.ParsePath(address, true); err == nil && back == inbound.Path(p) {
		return json.Marshal(address)
	}
	return json.Marshal(parts(p))
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *Path) UnmarshalJSON(b []byte) error {
	var address string
	if json.Unmarshal(b, &address) != nil {
		return json.Unmarshal(b, (*parts)(p))
	}
	back, err := inbound.ParsePath(address, true)
	*p = Path(back)
	return err
}

// String returns the path without angle brackets.
func (p Path) String() string { return inbound.Path(p).String() }
