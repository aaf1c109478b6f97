//go:build tools

// Package cli pins the Pulumi command line, and everything it is made of, for machines that cannot download it ready-made.
// Nothing is written here: `make setup` builds github.com/pulumi/pulumi/pkg/v3/cmd/pulumi at the version of go.mod, and
// go.sum lets Go refuse a module that differs from the published one.
package cli

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
