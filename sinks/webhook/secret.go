package webhook

import (
	"encoding/base64"
	"errors"
	"strings"
)

// ParseSecret reads a key as Standard Webhooks write it: base64, with or without
// "whsec_" before it. The error doesn't hold the text.
func ParseSecret(s string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(strings.TrimSpace(s), "whsec_"))
	if err != nil || len(key) == 0 {
		return nil, errors.New("a secret must be whsec_ and base64 (openssl rand -base64 32)")
	}
	return key, nil
}
