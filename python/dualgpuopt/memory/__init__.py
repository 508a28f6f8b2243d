"""Watches GPU memory, says before it happens that a GPU will run out, and frees memory in time.

Example:
    >>> from dualgpuopt.memory import AlertLevel, MemoryMonitor
    >>> monitor = MemoryMonitor("sim:demo")
    >>> subscription = monitor.subscribe(AlertLevel.WARNING, print)
    >>> [device.name for device in monitor.devices]
    ['Simulated 24 GiB A', 'Simulated 24 GiB B']
    >>> monitor.close()
"""
