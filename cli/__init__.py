"""The commands of the Makefile and of bin/ that know a stack: they prepare Pulumi's environment and run the tools."""
