package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/smithy-go"
)

// parametersActions returns the IAM actions of withParameters, on the parameters below
// the path. A SecureString of a KMS key of one's own also needs kms:Decrypt on that key.
func parametersActions() []string { return []string{"ssm:GetParametersByPath"} }

// withParameters puts the parameters below a path behind the environment: the last part
// of a parameter's name is what ${NAME} names. A variable of the environment goes first.
// The error names a parameter and never its value.
func withParameters(ctx context.Context, sdk aws.Config, path string, env func(string) (string, bool)) (func(string) (string, bool), error) {
	if !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("%s %q must begin with /", envSSMPath, path)
	}
	values := map[string]string{}
	pages := ssm.NewGetParametersByPathPaginator(ssm.NewFromConfig(sdk), &ssm.GetParametersByPathInput{Path: &path, WithDecryption: aws.Bool(true)})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, fmt.Errorf("the parameters below %s can't be read: %s", path, whyNot(err))
		}
		for _, p := range page.Parameters {
			full := aws.ToString(p.Name)
			name := full[strings.LastIndexByte(full, '/')+1:]
			if !isVariable(name) {
				return nil, fmt.Errorf("parameter %q: its last part must be a name of letters, digits and _, as ${NAME} wants it", full)
			}
			values[name] = aws.ToString(p.Value)
		}
	}
	if len(values) == 0 {
		return nil, fmt.Errorf("there is no parameter below %s; make them, or unset %s", path, envSSMPath)
	}
	return func(name string) (string, bool) {
		if v, ok := env(name); ok {
			return v, true
		}
		v, ok := values[name]
		return v, ok
	}, nil
}

// whyNot gives the code of AWS's answer, whose text may name accounts and roles.
func whyNot(err error) string {
	var told smithy.APIError
	if errors.As(err, &told) {
		return told.ErrorCode() + "; does the function's role allow ssm:GetParametersByPath there?"
	}
	return "SSM can't be reached, or there are no credentials"
}

func isVariable(s string) bool {
	rest := strings.Trim(strings.ToLower(s), "abcdefghijklmnopqrstuvwxyz0123456789_")
	return s != "" && rest == "" && (s[0] < '0' || s[0] > '9')
}
