package source

import (
	"encoding/json"
	"strconv"
)

// maxReceiveCount reads a redrive policy; 0 where there is none. AWS writes the number as
// one, some servers as text.
func maxReceiveCount(policy string) int {
	var p struct {
		MaxReceiveCount any `json:"maxReceiveCount"`
	}
	if json.Unmarshal([]byte(policy), &p) != nil {
		return 0
	}
	switch n := p.MaxReceiveCount.(type) {
	case float64:
		return int(n)
	case string:
		i, _ := strconv.Atoi(n)
		return i
	}
	return 0
}
