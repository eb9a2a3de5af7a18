package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"

	"mxhook/sinks/spool"
)

// ErrNobody says that no process answers at the socket of a state folder.
var ErrNobody = errors.New("nobody answers")

// Client asks the bridge of another process.
type Client struct {
	path string
	http http.Client
}

// Dial returns a Client for the process that has the state folder. The error wraps
// ErrNobody when there is none, and is in words otherwise.
func Dial(state string) (*Client, error) {
	path := Path(state)
	conn, err := dial(path)
	switch {
	case err == nil:
		conn.Close()
	case isNobody(err):
		return nil, fmt.Errorf("%w at %s", ErrNobody, path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s belongs to another user; run this as the user that runs mxhook serve, or as root", path)
	default:
		return nil, err
	}
	c := &Client{path: path}
	c.http.Transport = &http.Transport{
		DialContext:       func(context.Context, string, string) (net.Conn, error) { return dial(path) },
		DisableKeepAlives: true,
	}
	return c, nil
}

// Close gives the connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// List implements Operations.
func (c *Client) List(ctx context.Context, f Filter, yield func(spool.Item) error) error {
	body, err := c.do(ctx, "GET", "/v1/spool?"+url.Values{"state": {string(f.State)}, "sink": {f.Sink}}.Encode(), nil)
	if err != nil {
		return err
	}
	defer body.Close()
	for d := json.NewDecoder(body); ; {
		var i spool.Item
		if err := d.Decode(&i); err == io.EOF {
			return nil
		} else if err != nil {
			return errors.New("the list broke off: mxhook serve has ended, or met a fault that its log tells")
		}
		if err := yield(i); err != nil {
			return err
		}
	}
}

// Show implements Operations.
func (c *Client) Show(ctx context.Context, name string) (items []Shown, err error) {
	return items, c.ask(ctx, "GET", "/v1/spool/"+url.PathEscape(name), nil, &items)
}

// Raw implements Operations.
func (c *Client) Raw(ctx context.Context, name string, w io.Writer) error {
	body, err := c.do(ctx, "GET", "/v1/spool/"+url.PathEscape(name)+"/raw", nil)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.Copy(w, body)
	return err
}

// Replay implements Operations.
func (c *Client) Replay(ctx context.Context, s Selection) (done Changed, err error) {
	return done, c.ask(ctx, "POST", "/v1/replay", s, &done)
}

// Drop implements Operations.
func (c *Client) Drop(ctx context.Context, s Selection) (done Changed, err error) {
	return done, c.ask(ctx, "POST", "/v1/drop", s, &done)
}

// Send implements Operations.
func (c *Client) Send(ctx context.Context, m Stored, content io.Reader) (report Report, err error) {
	envelope, err := json.Marshal(m)
	if err != nil {
		return report, err
	}
	body, err := c.do(ctx, "POST", "/v1/messages?"+url.Values{"envelope": {string(envelope)}}.Encode(), io.NopCloser(content))
	if err != nil {
		return report, err
	}
	defer body.Close()
	return report, json.NewDecoder(body).Decode(&report)
}

// ask sends value and reads the answer into result.
func (c *Client) ask(ctx context.Context, method, path string, value, result any) error {
	var content io.Reader
	if value != nil {
		text, err := json.Marshal(value)
		if err != nil {
			return err
		}
		content = bytes.NewReader(text)
	}
	body, err := c.do(ctx, method, path, content)
	if err != nil {
		return err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(result); err != nil {
		return errors.New("the answer of mxhook serve broke off")
	}
	return nil
}

// do makes a request and returns the body of a good answer, which the caller closes.
func (c *Client) do(ctx context.Context, method, path string, content io.Reader) (io.ReadCloser, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://mxhook"+path, content)
	if err != nil {
		return nil, err
	}
	answer, err := c.http.Do(r)
	var refused *url.Error
	if errors.As(err, &refused) { // whose words are of URLs that nobody knows
		err = fmt.Errorf("mxhook serve does not answer at %s: %w", c.path, refused.Err)
	}
	if err != nil {
		return nil, err
	}
	if answer.StatusCode == http.StatusOK {
		return answer.Body, nil
	}
	defer answer.Body.Close()
	var p problem
	if err := json.NewDecoder(io.LimitReader(answer.Body, maxRequest)).Decode(&p); err != nil || p.Error == "" {
		p.Error = "mxhook serve answers " + answer.Status
	}
	return nil, &Error{Code: answer.StatusCode, Text: p.Error}
}
