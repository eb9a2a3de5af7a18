package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"time"

	"mxhook/cmd/internal/bridge"
	"mxhook/cmd/internal/config"
	"mxhook/sinks"
	"mxhook/sinks/payload"
	"mxhook/sinks/payload/formats"
)

// choose takes the format of the sink, and otherwise the one that --format names, with
// the attachments and the html in it.
func (in *inspection) choose(c *config.Config) (err error) {
	if in.sink != "" {
		in.kind, in.format, err = bridge.Preview(c, in.sink)
		return err
	}
	in.format, err = formats.New(in.kind.Name, formats.Options{Include: payload.Include{Attachments: "inline", Raw: "none", HTML: true}})
	return err
}

// printPayload writes the payload; JSON is indented for the reader.
func printPayload(ctx context.Context, w io.Writer, e *sinks.Event, kind formats.Kind, format payload.Format) error {
	encoded, err := format.Encode(ctx, e)
	if err != nil {
		return err
	}
	request, err := encoded.Request(payload.Attempt{Time: time.Now()})
	if err != nil {
		return err
	}
	r := request.Body.Open()
	defer r.Close()
	if !kind.JSON {
		_, err = io.Copy(w, r)
		return err
	}
	compact, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, compact, "", "  "); err != nil {
		return err
	}
	indented.WriteByte('\n')
	_, err = indented.WriteTo(w)
	return err
}
