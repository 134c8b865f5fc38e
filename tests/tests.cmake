# Tests that are not one C program per source file: parity per golden case, layout rules, whole commands.
