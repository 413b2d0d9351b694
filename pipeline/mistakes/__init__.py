"""The known mistakes of runtimes that are asked the right question and answer another one."""
