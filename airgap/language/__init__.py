"""Stand-in for Pulumi's Python language host, `pulumi-language-python`: runs the program and reports its errors."""
