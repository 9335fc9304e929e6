// SPDX-License-Identifier: Apache-2.0

// Rego by OPA, for one question: standard input has a request in one line of JSON, and for an evaluation the policy's input after it;
// standard output gets one answer in JSON. Built for WASI by build/rego.ts. It reads nothing else, and what could reach a network, the
// environment or chance is not among the functions that a policy may call.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/topdown/print"
)

type request struct {
	// the policy; several texts are read as one, as files that are loaded together
	Texts []string `json:"texts"`
	// "v0", "v1"
	Version string `json:"version"`
	// names of built-in functions that a policy may not call
	Forbidden []string `json:"forbidden"`
	// what to ask for, as "data.sigstore.isCompliant"; where there is none, the policy is only checked
	Query string `json:"query"`
	// the time, in nanoseconds since 1970
	Now int64 `json:"now,string"`
}

type answer struct {
	// what is wrong with the policy, or why it could not be evaluated
	Fault string `json:"fault,omitempty"`
	// what each text declares
	Modules []declared `json:"modules,omitempty"`
	// what was asked for; absent where it is undefined
	Value any `json:"value,omitempty"`
	// whether it is defined
	Defined bool `json:"defined"`
}

type declared struct {
	// as "data.sigstore"
	Package string `json:"package"`
	// names, each once
	Rules []string `json:"rules"`
}

type silence struct{}

func (silence) Print(print.Context, string) error { return nil }

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<16)
	found, err := run(in)
	if err != nil {
		found = answer{Fault: err.Error()}
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		os.Exit(1)
	}
}

func run(in *bufio.Reader) (answer, error) {
	line, err := in.ReadBytes('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return answer{}, err
	}
	var asked request
	if err := json.Unmarshal(line, &asked); err != nil {
		return answer{}, err
	}
	version := ast.RegoV1
	if asked.Version == "v0" {
		version = ast.RegoV0
	}
	capabilities := ast.CapabilitiesForThisVersion(ast.CapabilitiesRegoVersion(version))
	capabilities.AllowNet = []string{}
	capabilities.Builtins = slices.DeleteFunc(capabilities.Builtins, func(builtin *ast.Builtin) bool {
		return slices.Contains(asked.Forbidden, builtin.Name)
	})
	options := ast.ParserOptions{RegoVersion: version, Capabilities: capabilities}
	modules := map[string]*ast.Module{}
	described := answer{}
	for at, text := range asked.Texts {
		name := fmt.Sprintf("policy%d.rego", at+1)
		module, err := ast.ParseModuleWithOpts(name, text, options)
		if err != nil {
			return answer{}, err
		}
		modules[name] = module
		described.Modules = append(described.Modules, describe(module))
	}
	if len(modules) == 0 {
		return answer{}, errors.New("no policy")
	}
	compiler := ast.NewCompiler().WithCapabilities(capabilities).WithDefaultRegoVersion(version)
	compiler.Compile(modules)
	if compiler.Failed() {
		return answer{}, compiler.Errors
	}
	if asked.Query == "" {
		return described, nil
	}
	return evaluate(in, asked, compiler)
}

func describe(module *ast.Module) declared {
	found := declared{Package: module.Package.Path.String(), Rules: []string{}}
	for _, rule := range module.Rules {
		name := rule.Head.Ref().GroundPrefix().String()
		if !slices.Contains(found.Rules, name) {
			found.Rules = append(found.Rules, name)
		}
	}
	return found
}

func evaluate(in io.Reader, asked request, compiler *ast.Compiler) (answer, error) {
	decoder := json.NewDecoder(in)
	decoder.UseNumber()
	var input any
	if err := decoder.Decode(&input); err != nil {
		return answer{}, err
	}
	ctx := context.Background()
	query, err := rego.New(
		rego.Query(asked.Query),
		rego.Compiler(compiler),
		rego.Time(time.Unix(0, asked.Now).UTC()),
		rego.PrintHook(silence{}),
	).PrepareForEval(ctx)
	if err != nil {
		return answer{}, err
	}
	results, err := query.Eval(ctx, rego.EvalInput(input), rego.EvalTime(time.Unix(0, asked.Now).UTC()))
	if err != nil {
		var fault *topdown.Error
		if errors.As(err, &fault) {
			return answer{Fault: fault.Message}, nil
		}
		return answer{}, err
	}
	if len(results) == 0 || len(results[0].Expressions) == 0 {
		return answer{}, nil
	}
	return answer{Defined: true, Value: results[0].Expressions[0].Value}, nil
}
