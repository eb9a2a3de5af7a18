package sendgrid

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"strconv"

	"mxhook/sinks"
	"mxhook/sinks/payload"
)

// The header fields of Twilio's security policy.
const (
	SignatureField = "X-Twilio-Email-Event-Webhook-Signature"
	TimestampField = "X-Twilio-Email-Event-Webhook-Timestamp"
)

// newSigner reads a private key of PKCS #8 or SEC 1.
func newSigner(text string) (*ecdsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("the key is no PEM; make one with: openssl ecparam -name prime256v1 -genkey -noout")
	}
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil {
		any, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		var ok bool
		if key, ok = any.(*ecdsa.PrivateKey); err != nil || !ok {
			return nil, errors.New("the PEM holds no private ECDSA key; make one with: openssl ecparam -name prime256v1 -genkey -noout")
		}
	}
	if key.Curve != elliptic.P256() {
		return nil, errors.New("the key is not one of the curve P-256")
	}
	return key, nil
}

// signed is a format whose requests are signed anew at each attempt.
type signed struct {
	payload.FormatFunc
	key *ecdsa.PrivateKey
}

// Encode implements payload.Format.
func (s signed) Encode(ctx context.Context, e *sinks.Event) (payload.Encoded, error) {
	b, err := s.FormatFunc(ctx, e)
	if err != nil {
		return nil, err
	}
	return encoded{b, s.key}, nil
}

type encoded struct {
	body *payload.Body
	key  *ecdsa.PrivateKey
}

// Request implements payload.Encoded. It reads the body once.
func (x encoded) Request(a payload.Attempt) (payload.Request, error) {
	timestamp := strconv.FormatInt(a.Time.Unix(), 10)
	h := sha256.New()
	io.WriteString(h, timestamp)
	r := x.body.Open()
	defer r.Close()
	if _, err := io.Copy(h, r); err != nil {
		return payload.Request{}, err
	}
	signature, err := ecdsa.SignASN1(rand.Reader, x.key, h.Sum(nil))
	if err != nil {
		return payload.Request{}, errors.New("sendgrid: the signature can't be made")
	}
	return payload.Request{Body: x.body, Header: map[string]string{
		SignatureField: base64.StdEncoding.EncodeToString(signature), TimestampField: timestamp,
	}}, nil
}
