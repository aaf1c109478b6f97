"""The stand-in for Pulumi's postgresql provider: the resource types that the bundle uses, on psycopg."""
